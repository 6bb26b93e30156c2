// On a phone, a table that is wider than the page is shown row by row, each cell under the name of its column.
(() => {
  const tables = [...document.querySelectorAll('main .table-wrapper > table')];
  for (const table of tables) {
    const columns = [...table.querySelectorAll('thead tr > *')].map(cell => cell.textContent.trim());
    for (const row of table.querySelectorAll('tbody tr')) {
      [...row.children].forEach((cell, at) => {
        if (at > 0 && columns[at]) cell.dataset.column = columns[at];
      });
    }
  }
  const fit = () => {
    for (const table of tables) table.classList.remove('stacked');
    // All are measured before any is changed: a change between two makes the browser lay out the page again.
    const wide = tables.filter(({ parentElement: wrapper }) => wrapper.scrollWidth > wrapper.clientWidth);
    for (const table of wide) table.classList.add('stacked');
  };
  fit();
  // Letters may be wider in the book's own fonts.
  document.fonts.ready.then(fit);
  window.addEventListener('resize', fit);
})();

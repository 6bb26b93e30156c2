// What mdBook's pages lack for those who use no mouse: a link past the menus, keys for the side bar's switch, and keys
// for code that scrolls.
(() => {
  const toggle = document.getElementById('mdbook-sidebar-toggle');
  if (toggle) {
    toggle.setAttribute('role', 'button');
    toggle.tabIndex = 0;
    toggle.addEventListener('keydown', event => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      toggle.click();
    });
  }

  const skip = document.createElement('a');
  skip.href = '#mdbook-content';
  skip.className = 'skip-link';
  skip.textContent = document.documentElement.lang === 'ko' ? '본문으로 건너뛰기' : 'Skip to main content';
  document.body.prepend(skip);

  const reachable = () => {
    for (const block of document.querySelectorAll('main pre > code, main .table-wrapper, main pre')) {
      if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
    }
  };
  reachable();
  window.addEventListener('resize', reachable);
  document.addEventListener('tab-shown', reachable);
})();

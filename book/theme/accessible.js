// What mdBook's pages lack for those who use no mouse: a link past the menus, keys for the side bar's switch, and keys
// for code that scrolls. And names in code that stay in one line.
(() => {
  // The switch is a label, which no key reaches: a button stands in for it.
  const toggle = document.getElementById('mdbook-sidebar-toggle');
  if (toggle) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = toggle.className;
    button.title = toggle.title;
    button.setAttribute('aria-label', toggle.title);
    button.setAttribute('aria-controls', 'mdbook-sidebar');
    button.innerHTML = toggle.innerHTML;
    button.addEventListener('click', () => toggle.click());
    toggle.hidden = true;
    toggle.after(button);
  }
  document.getElementById('mdbook-menu-bar')?.setAttribute('role', 'banner');

  const skip = document.createElement('a');
  skip.href = '#mdbook-content';
  skip.className = 'skip-link';
  skip.textContent = document.documentElement.lang === 'ko' ? '본문으로 건너뛰기' : 'Skip to main content';
  document.body.prepend(skip);

  // The empty corner of a table heads nothing.
  for (const corner of document.querySelectorAll('main th:empty')) corner.replaceWith(document.createElement('td'));

  // Browsers would break an attribute, #[name], after its first sign.
  for (const code of document.querySelectorAll('main :not(pre) > code')) {
    const parts = code.textContent.split(/(#!?\[\w+\]?)/);
    if (parts.length === 1) continue;
    code.replaceChildren(...parts.map((part, at) => {
      if (at % 2 === 0) return part;
      const whole = document.createElement('span');
      whole.className = 'whole';
      whole.textContent = part;
      return whole;
    }));
  }

  const reachable = () => {
    const blocks = [...document.querySelectorAll('main pre > code, main .table-wrapper, main pre')];
    // All are measured before any is changed: a change between two makes the browser lay out the page again.
    const wide = blocks.filter(block => block.scrollWidth > block.clientWidth);
    for (const block of wide) block.tabIndex = 0;
  };
  reachable();
  window.addEventListener('resize', reachable);
  document.addEventListener('tab-shown', reachable);
})();

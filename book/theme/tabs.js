// Shows one of several panels: Rust or C, one of five kernels. A choice holds for all of its kind, on all pages.
(() => {
  const remembered = group => {
    try { return localStorage.getItem(`tab-${group}`); } catch { return null; }
  };
  const remember = (group, name) => {
    try { localStorage.setItem(`tab-${group}`, name); } catch { /* a page from a file may have no memory */ }
  };

  const show = (tabs, name) => {
    const panels = [...tabs.children].filter(child => child.classList.contains('tab'));
    // A page may have no panel of that name.
    const chosen = panels.find(panel => panel.dataset.tab === name) ?? panels[0];
    for (const panel of panels) panel.hidden = panel !== chosen;
    for (const button of tabs.querySelector(':scope > [role=tablist]').children) {
      const is = button.dataset.tab === chosen.dataset.tab;
      button.setAttribute('aria-selected', is);
      button.tabIndex = is ? 0 : -1;
    }
  };

  // Whoever listens measures the whole page: once, however many tabs changed.
  const announce = () => document.dispatchEvent(new Event('tab-shown'));

  // What the reader looks at stays where it is, although panels above change their height.
  const choose = (button, group) => {
    const before = button.getBoundingClientRect().top;
    remember(group, button.dataset.tab);
    for (const tabs of document.querySelectorAll(`.tabs[data-group="${group}"]`)) show(tabs, button.dataset.tab);
    announce();
    window.scrollBy(0, button.getBoundingClientRect().top - before);
  };

  const keys = (event, list, group) => {
    const buttons = [...list.children];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const button = buttons[(to + buttons.length) % buttons.length];
    choose(button, group);
    button.focus();
  };

  let count = 0;
  for (const tabs of document.querySelectorAll('main .tabs')) {
    const group = tabs.dataset.group;
    const panels = [...tabs.children].filter(child => child.classList.contains('tab'));
    if (panels.length < 2) continue;
    const list = document.createElement('div');
    list.setAttribute('role', 'tablist');
    list.setAttribute('aria-label', group === 'language' ? 'Language' : 'Kernel');
    for (const panel of panels) {
      const button = document.createElement('button');
      panel.id ||= `tab-${++count}`;
      button.id = `${panel.id}-button`;
      button.type = 'button';
      button.textContent = panel.dataset.tab;
      button.dataset.tab = panel.dataset.tab;
      button.setAttribute('role', 'tab');
      button.setAttribute('aria-controls', panel.id);
      panel.setAttribute('role', 'tabpanel');
      panel.setAttribute('aria-labelledby', button.id);
      button.addEventListener('click', () => choose(button, group));
      list.append(button);
    }
    // mdBook turns pages by these keys.
    list.addEventListener('keydown', event => keys(event, list, group));
    tabs.prepend(list);
    tabs.classList.add('live');
    // The course's own default kernel.
    show(tabs, remembered(group) ?? (group === 'kernel' ? 'Linux 6.12' : 'Rust'));
  }
  announce();
})();

// Verifier logs step by step. The page's own log lies in `<div class="verifier-log">`, one's own goes into
// `<div id="own-log">`. The parser is `cargo xtask explain`'s, as WebAssembly; it comes in `verifier-log.js`, a script
// and not a file to fetch, so that the book works from a disk as well.
(() => {
  'use strict';

  // An element with attributes and children; children are elements or text, never HTML.
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      made.setAttribute(key, value);
    }
    made.append(...children.filter(child => child !== null));
    return made;
  }

  function button(text, onclick, attributes = {}) {
    const made = element('button', { type: 'button', ...attributes }, text);
    made.addEventListener('click', onclick);
    return made;
  }

  // Sentences of the parser set code off with backticks.
  function sentence(text) {
    return text.split('`').map((part, index) => (index % 2 === 1 ? element('code', {}, part) : part));
  }

  // ---- the parser ----

  let parser = null;

  // Loads it at its first use.
  function load() {
    parser ??= script('verifier-log.js').then(instantiate);
    // After a failure, the next click tries again.
    parser.catch(() => {
      parser = null;
    });
    return parser;
  }

  function script(file) {
    // eslint-disable-next-line no-undef -- mdBook defines it on each page.
    const root = typeof path_to_root === 'undefined' ? '' : path_to_root;
    return new Promise((resolve, reject) => {
      const made = element('script', { src: root + file });
      made.addEventListener('load', resolve);
      made.addEventListener('error', () => reject(new Error(`cannot load ${file}, which is a part of this book`)));
      document.head.append(made);
    });
  }

  async function instantiate() {
    const bytes = Uint8Array.from(atob(window.VERIFIER_LOG_WASM), letter => letter.charCodeAt(0));
    return (await WebAssembly.instantiate(bytes)).instance.exports;
  }

  // What the parser says of a text (bytes).
  async function explore(bytes) {
    const { memory, explorer_allocate, explorer_explore, explorer_free } = await load();
    const text = explorer_allocate(bytes.length);
    new Uint8Array(memory.buffer, text, bytes.length).set(bytes);
    const answer = explorer_explore(text, bytes.length);
    explorer_free(text, bytes.length);
    const length = new DataView(memory.buffer).getUint32(answer, true);
    const json = new TextDecoder().decode(new Uint8Array(memory.buffer, answer + 4, length));
    explorer_free(answer, 4 + length);
    return JSON.parse(json);
  }

  async function exploreText(text) {
    return explore(new TextEncoder().encode(text));
  }

  // ---- one program, step by step ----

  // How many instructions are listed before and after the one that is shown.
  const NEIGHBOURS = 3;
  const KEYS = {
    ArrowLeft: 'previous',
    ArrowUp: 'previous',
    ArrowRight: 'next',
    ArrowDown: 'next',
    Home: 'first',
    End: 'last',
    d: 'decisive',
    D: 'decisive',
  };

  // How often each instruction is among these steps; null where none comes again.
  function visitsOf(steps) {
    const visits = new Map();
    for (const step of steps) {
      visits.set(step.insn.pc, (visits.get(step.insn.pc) ?? 0) + 1);
    }
    return Math.max(0, ...visits.values()) > 1 ? visits : null;
  }

  class Explorer {
    constructor(program, label) {
      this.program = program;
      this.trace = program.trace;
      this.last = this.trace.steps.length - 1;
      this.decisive = this.trace.decisive;
      this.visits = visitsOf(this.trace.steps);
      this.element = element('div', {
        class: 'explorer',
        role: 'group',
        tabindex: '0',
        'aria-label': label,
        'aria-keyshortcuts': 'ArrowLeft ArrowRight Home End D',
      });
      this.element.addEventListener('keydown', event => this.key(event));
      this.build();
      this.show(this.decisive ?? this.last);
      // The first step is on the page; what is announced is what comes later.
      this.live.textContent = '';
    }

    build() {
      const go = name => button(LABELS[name], () => this.go(name), { 'data-go': name });
      this.buttons = Object.fromEntries(Object.keys(LABELS).map(name => [name, go(name)]));
      this.slider = element('input', { type: 'range', min: '0', max: String(this.last), 'aria-label': 'Step' });
      this.slider.addEventListener('input', () => this.show(Number(this.slider.value)));
      this.place = element('p', { class: 'explorer-place' });
      this.list = element('ol', { class: 'explorer-list' });
      this.body = element('div', { class: 'explorer-body' });
      this.live = element('p', { class: 'explorer-live', 'aria-live': 'polite' });
      this.element.append(
        reason(this.program),
        element('div', { class: 'explorer-buttons' }, ...Object.values(this.buttons)),
        this.slider,
        this.place,
        this.list,
        this.body,
        element('p', { class: 'explorer-keys' }, 'Keys: ', ...keys()),
        this.live,
      );
    }

    key(event) {
      const name = KEYS[event.key];
      if (!name || event.altKey || event.ctrlKey || event.metaKey || (event.shiftKey && event.key !== 'D')) {
        return;
      }
      // mdBook would turn the page.
      event.preventDefault();
      event.stopPropagation();
      this.go(name);
    }

    go(name) {
      const goals = {
        first: 0,
        previous: Math.max(this.at - 1, 0),
        next: Math.min(this.at + 1, this.last),
        last: this.last,
        decisive: this.decisive,
      };
      const goal = goals[name];
      if (goal !== null && goal !== this.at) {
        this.show(goal);
      }
    }

    show(at) {
      this.at = at;
      const step = this.trace.steps[at];
      this.slider.value = String(at);
      this.slider.setAttribute('aria-valuetext', `step ${at + 1}, instruction ${step.insn.pc}`);
      const ends = {
        first: at === 0,
        previous: at === 0,
        next: at === this.last,
        last: at === this.last,
        decisive: this.decisive === null || at === this.decisive,
      };
      for (const [name, isEnd] of Object.entries(ends)) {
        // A disabled button would lose the focus.
        this.buttons[name].setAttribute('aria-disabled', String(isEnd));
      }
      this.element.classList.toggle('explorer-at-decisive', at === this.decisive);
      this.place.replaceChildren(...this.placeOf(step));
      this.list.replaceChildren(...this.neighbours());
      this.body.replaceChildren(...this.about(step));
      this.live.textContent = this.announcement(step);
    }

    placeOf(step) {
      const before = this.trace.left_out_before;
      const all = before + this.trace.steps.length + this.trace.left_out_after;
      const parts = [`Step ${before + this.at + 1} of ${all}, line ${step.line} of the log`];
      if (this.at === this.decisive) {
        parts.push(element('strong', { class: 'explorer-badge' }, 'decisive'));
      } else if (step.on_path) {
        parts.push(element('span', { class: 'explorer-badge' }, 'on the way to the reason'));
      }
      if (all > this.trace.steps.length) {
        parts.push(element('span', { class: 'explorer-note' }, leftOut(this.trace)));
      }
      return parts;
    }

    // The instructions around this one.
    neighbours() {
      const first = Math.max(0, Math.min(this.at - NEIGHBOURS, this.last - 2 * NEIGHBOURS));
      const steps = this.trace.steps.slice(first, first + 2 * NEIGHBOURS + 1);
      return steps.map((step, index) => this.neighbour(step, first + index));
    }

    neighbour(step, at) {
      const mark = at === this.decisive ? '✗' : step.on_path ? '•' : '';
      const named = { '✗': 'decisive', '•': 'on the way to the reason' }[mark];
      const line = element(
        'li',
        {},
        element('span', { class: 'explorer-mark', ...(named ? { role: 'img', 'aria-label': named } : {}) }, mark),
        element('code', {}, `${step.insn.pc}: ${step.insn.text}`),
        this.heat(step),
      );
      if (at === this.at) {
        line.setAttribute('aria-current', 'step');
      }
      line.addEventListener('click', () => this.show(at));
      return line;
    }

    // How often the verifier walked an instruction: as a number, and as a bar.
    heat(step) {
      if (this.visits === null) {
        return null;
      }
      const count = this.visits.get(step.insn.pc);
      const bar = element('span', { class: 'explorer-bar', 'aria-hidden': 'true' });
      bar.style.inlineSize = `${(3 * count) / Math.max(...this.visits.values())}em`;
      const times = element('span', { class: 'explorer-times' }, `${count}×`);
      return element('span', { class: 'explorer-heat', title: `walked ${count} times in these steps` }, bar, times);
    }

    about(step) {
      return [
        step.meaning === null
          ? null
          : element('p', { class: 'explorer-meaning' }, `Instruction ${step.insn.pc} ${step.meaning}.`),
        step.came_from === null
          ? null
          : element('p', {}, `The verifier comes back here for the other way out of instruction ${step.came_from}.`),
        source(step.source),
        this.at === this.decisive ? refusal(this.program) : null,
        knowledge(step, this.at === this.last),
        step.lost.length
          ? element('p', { class: 'explorer-lost' }, `Not known any more: ${step.lost.join(', ')}.`)
          : null,
      ].filter(part => part !== null);
    }

    announcement(step) {
      const changed = step.known.filter(known => known.changed).map(known => `${known.name} is now ${known.words}.`);
      const parts = [
        `Step ${this.trace.left_out_before + this.at + 1}, instruction ${step.insn.pc}: ${step.meaning ?? step.insn.text}.`,
        this.at === this.decisive ? `Decisive: ${messages(this.program)}.` : '',
        step.source ? `Source: ${step.source.text}` : '',
        ...changed,
        step.lost.length ? `Not known any more: ${step.lost.join(', ')}.` : '',
      ];
      return parts.filter(part => part !== '').join(' ');
    }
  }

  const LABELS = { first: 'First', previous: 'Previous', next: 'Next', last: 'Last', decisive: 'Decisive' };

  function keys() {
    const pairs = [
      ['←', 'previous, '],
      ['→', 'next, '],
      ['Home', 'first, '],
      ['End', 'last, '],
      ['d', 'decisive'],
    ];
    return pairs.flatMap(([key, word]) => [element('kbd', {}, key), ` ${word}`]);
  }

  function messages(program) {
    return program.messages.map(message => message.text).join('; ');
  }

  function reason(program) {
    if (program.messages.length === 0) {
      return element('p', { class: 'explorer-reason' }, 'This log shows no rejection.');
    }
    const lines = program.messages.map(message => element('code', {}, message.text));
    return element('p', { class: 'explorer-reason' }, element('strong', {}, 'The verifier’s reason: '), ...lines);
  }

  // What `cargo xtask explain` says of the place, shown where the program was refused.
  function refusal(program) {
    const { known, missing } = program.finding;
    const sentences = [...known, missing === null ? '' : `What was missing: ${missing}.`].filter(text => text !== '');
    const report =
      program.diagnosis === null ? '' : [program.diagnosis.reason, program.diagnosis.suggestion].join(' ').trim();
    return element(
      'div',
      { class: 'explorer-refusal' },
      element('p', {}, element('strong', {}, 'Here the verifier refused the program.')),
      sentences.length ? element('ul', {}, ...sentences.map(text => element('li', {}, ...sentence(text)))) : null,
      report === '' ? null : element('p', {}, element('strong', {}, 'The kernel itself says: '), report),
    );
  }

  function source(source) {
    if (source === null) {
      return null;
    }
    const place = source.file === null ? '' : `${source.file}:${source.line}`;
    return element(
      'p',
      { class: 'explorer-source' },
      element('span', { class: 'explorer-note' }, `Source ${place}`),
      element('code', {}, source.text),
    );
  }

  function knowledge(step, isLast) {
    if (step.known.length === 0) {
      return element('p', { class: 'explorer-note' }, 'The log shows no registers here.');
    }
    const frame = step.frame === 0 ? '' : `, in a called function (frame ${step.frame})`;
    const rows = step.known.map(known =>
      element(
        'tr',
        known.changed ? { class: 'explorer-changed' } : {},
        element(
          'th',
          { scope: 'row' },
          known.name,
          known.changed ? element('span', { class: 'explorer-badge' }, 'changed') : null,
        ),
        element(
          'td',
          {},
          ...sentence(known.words),
          known.value === null ? null : element('code', { class: 'explorer-raw' }, known.value),
        ),
      ),
    );
    return element(
      'table',
      { class: 'explorer-known' },
      element(
        'caption',
        {},
        (isLast ? 'What the verifier knew when the log ended' : 'What the verifier knows after this instruction') + frame,
      ),
      element(
        'thead',
        {},
        element('tr', {}, element('th', { scope: 'col' }, 'Where'), element('th', { scope: 'col' }, 'What it holds')),
      ),
      element('tbody', {}, ...rows),
    );
  }

  function leftOut(trace) {
    const parts = [
      [trace.left_out_before, 'before'],
      [trace.left_out_after, 'after'],
    ].filter(([count]) => count > 0);
    return `Left out: ${parts.map(([count, where]) => `${count} steps ${where} these`).join(', ')}.`;
  }

  // ---- all programs of a text ----

  // What is shown of an answer: one program, with a choice if there are more. `more`: what comes below a program.
  function view(answer, label, more = () => null) {
    const programs = answer.programs;
    const shown = element('div', {});
    const show = index =>
      shown.replaceChildren(...[one(programs[index], label), more(programs[index])].filter(Boolean));
    show(0);
    if (programs.length === 1) {
      return element('div', {}, shown);
    }
    const names = programs.map((program, index) =>
      element(
        'option',
        { value: String(index) },
        `${index + 1}: ${program.name ?? 'a program'}${program.verdict === 'no-rejection' ? ', not rejected' : ''}`,
      ),
    );
    const choice = element('select', {}, ...names);
    choice.addEventListener('change', () => show(Number(choice.value)));
    const others = answer.left_out ? ` ${answer.left_out} more programs are not shown.` : '';
    return element('div', {}, element('p', {}, element('label', {}, 'Program ', choice), others), shown);
  }

  function one(program, label) {
    if (program.trace.steps.length > 0) {
      return new Explorer(program, label).element;
    }
    return element(
      'div',
      { class: 'explorer' },
      reason(program),
      element(
        'p',
        {},
        'There are no instructions to step through: the program was refused before or after the verifier walked through it, or the text has only the error.',
      ),
      refusalWithoutSteps(program),
    );
  }

  function refusalWithoutSteps(program) {
    const sentences = program.finding.known.concat(
      program.finding.missing === null ? [] : [`What was missing: ${program.finding.missing}.`],
    );
    return sentences.length ? element('ul', {}, ...sentences.map(text => element('li', {}, ...sentence(text)))) : null;
  }

  // ---- the logs of a page ----

  function enhance(place) {
    const log = place.querySelector('pre');
    if (log === null) {
      return;
    }
    const kernel = place.dataset.kernel;
    const label =
      ['Verifier log', place.dataset.entry, kernel ? `Linux ${kernel}` : ''].filter(Boolean).join(', ') +
      ', step by step';
    const toggle = button('Explore step by step', () => open(place, log, toggle, label), {
      class: 'explorer-open',
      'aria-expanded': 'false',
    });
    place.insertBefore(toggle, log);
  }

  async function open(place, log, toggle, label) {
    const status = element('p', { class: 'explorer-status', role: 'status' });
    place.querySelector('.explorer-status')?.remove();
    toggle.after(status);
    try {
      const code = log.querySelector('code') ?? log;
      const answer = await exploreText(code.textContent);
      if (answer.programs.length === 0) {
        status.textContent = NO_LOG;
        return;
      }
      const shown = view(answer, label);
      status.replaceWith(shown);
      toggled(place, log, toggle, shown);
    } catch (error) {
      status.textContent = `The explorer does not work here: ${error.message}. The log is below.`;
    }
  }

  // From now on, the button changes between the steps and the text.
  function toggled(place, log, toggle, shown) {
    const fresh = button('', () => set(shown.hidden), { class: 'explorer-open' });
    const set = steps => {
      shown.hidden = !steps;
      log.hidden = steps;
      fresh.textContent = steps ? 'Show the log as text' : 'Explore step by step';
      fresh.setAttribute('aria-expanded', String(steps));
    };
    toggle.replaceWith(fresh);
    set(true);
    shown.querySelector('.explorer')?.focus();
  }

  // ---- a log of one's own ----

  const NO_LOG =
    'No verifier log: nothing in this text looks like one. A log has lines like “12: (69) r1 = *(u16 *)(r1 +12)”, and ends with “processed 13 insns”.';

  function ownLog(place) {
    const text = element('textarea', { id: 'own-log-text', rows: '10', spellcheck: 'false', autocomplete: 'off' });
    // Keys that mean something to mdBook are letters here.
    text.addEventListener('keydown', event => event.stopPropagation());
    const file = element('input', { type: 'file', id: 'own-log-file' });
    const status = element('p', { class: 'explorer-status', role: 'status' });
    const result = element('div', {});
    const start = pasted =>
      own(pasted ?? file.files[0] ?? text.value, status, result).then(() => {
        file.value = '';
      });
    const run = button('Explore this log', () => start());
    const sample = document.getElementById('own-log-sample')?.textContent.trim();
    const trial = button('Try a sample log', () => {
      text.value = sample;
      start(sample);
    });
    file.addEventListener('change', () => start());
    text.addEventListener('paste', event => {
      const pasted = event.clipboardData.getData('text');
      // A field with megabytes of text stops the browser for seconds; the parser does not.
      if (pasted.length > LONGEST_SHOWN) {
        event.preventDefault();
        start(pasted);
      }
    });
    place.append(
      element('p', {}, element('label', { for: 'own-log-text' }, 'Text with a verifier log')),
      text,
      element('p', {}, element('label', { for: 'own-log-file' }, 'Or a file, for long logs '), file),
      element('p', {}, run, ' ', sample ? trial : null),
      status,
      result,
    );
  }

  // Text that the field still takes at once.
  const LONGEST_SHOWN = 500_000;
  // More would not fit into the memory that a page can have.
  const LARGEST = 256 * 1024 * 1024;

  // `input`: text or a file.
  async function own(input, status, result) {
    result.replaceChildren();
    status.textContent = 'Reading the log…';
    // Lets the browser show it.
    await new Promise(done => setTimeout(done, 30));
    try {
      const bytes = await bytesOf(input);
      const answer = await explore(bytes);
      status.textContent = size(input) + verdict(answer, bytes);
      if (answer.programs.length > 0) {
        result.replaceChildren(view(answer, 'Your verifier log, step by step', advice));
        result.querySelector('.explorer')?.focus();
      }
    } catch (error) {
      status.textContent = `This does not work: ${error.message}.`;
    }
  }

  async function bytesOf(input) {
    if (typeof input === 'string') {
      return new TextEncoder().encode(input);
    }
    if (input.size > LARGEST) {
      throw new Error('the file is larger than 256 MB; its end is what counts');
    }
    return new Uint8Array(await input.arrayBuffer());
  }

  // What is not shown in the field is named.
  function size(input) {
    if (typeof input !== 'string') {
      return `${input.name}: `;
    }
    return input.length > LONGEST_SHOWN ? `${(input.length / 1e6).toFixed(1)} MB of text: ` : '';
  }

  function verdict(answer, bytes) {
    if (bytes.length === 0) {
      return 'There is no text yet: paste a log, or choose a file.';
    }
    const program = answer.programs[0];
    return {
      'no-log': NO_LOG,
      'no-rejection':
        'The log ends without an error: the verifier accepted the program, or the end of the log is missing.',
      unknown: 'The message at the end of this log is not known here, so there is no explanation.',
      explained: program?.class ? `${program.class.slug}: ${program.class.title}` : '',
    }[answer.verdict];
  }

  // The class of the error, its rule and the fixes.
  function advice(program) {
    if (!program.class) {
      return null;
    }
    const part = (title, text) => [element('dt', {}, title), element('dd', {}, ...sentence(text))];
    const parts = [
      ...part('The rule', program.class.rule),
      ...part('Fix in C', program.class.fix_c),
      ...part('Fix in Rust', program.class.fix_rust),
    ];
    const page =
      program.gallery === null
        ? null
        : element(
            'p',
            {},
            element(
              'a',
              { href: `gallery/${program.gallery}.html` },
              `The gallery’s page about this: ${program.gallery}`,
            ),
          );
    return element('div', { class: 'explorer-advice' }, element('dl', {}, ...parts), page);
  }

  document.querySelectorAll('.verifier-log').forEach(enhance);
  const place = document.getElementById('own-log');
  if (place !== null) {
    ownLog(place);
  }
})();

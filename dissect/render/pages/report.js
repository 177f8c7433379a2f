'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const panel = document.getElementById('panel');
  const rows = [...document.querySelectorAll('.arrow')];
  const find = document.getElementById('find');
  const only = document.getElementById('only');
  const party = document.getElementById('with');
  const count = document.getElementById('count');
  let open = null;

  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };

  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page from disk may lack the clipboard: the old way works everywhere.
      const area = make('textarea', text);
      panel.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
      button.focus();
    }
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  };

  const copyable = (title, text) => {
    const line = make('div', undefined, 'copy');
    const button = make('button', 'Copy');
    button.type = 'button';
    button.setAttribute('aria-label', `Copy ${title}`);
    button.addEventListener('click', () => copy(text, button));
    line.append(make('code', text), button);
    return [make('h4', title), line];
  };

  const list = (pairs, name) => {
    const all = make('dl', undefined, name);
    for (const [key, value] of pairs) all.append(make('dt', key), make('dd', value));
    return all;
  };

  const message = (view) => {
    const parts = [make('h3', view.title), list(view.facts)];
    if (view.headers.length) parts.push(make('h4', 'Header fields'), list(view.headers, 'headers'));
    if (view.note) parts.push(make('h4', `Body: ${view.note}`));
    if (view.body !== null) {
      const body = make('pre', view.body);
      body.tabIndex = 0;
      parts.push(body);
    }
    return parts;
  };

  const close = () => {
    if (!open) return;
    const button = open;
    open = null;
    button.setAttribute('aria-expanded', 'false');
    keeping(button, () => { panel.hidden = true; });
    button.focus({ preventScroll: true });
  };

  // A panel that opens or closes makes the page narrower or wider: its arrow stays where it was,
  // and where the panel covers the lower half, above it.
  const keeping = (button, change) => {
    const before = button.getBoundingClientRect().top;
    change();
    const covered = !panel.hidden && getComputedStyle(panel).position === 'fixed';
    const wanted = covered ? Math.min(before, 60) : before;
    for (let tries = 0; tries < 3; tries += 1) {
      const off = button.getBoundingClientRect().top - wanted;
      if (Math.abs(off) < 1) break;
      window.scrollBy(0, off);
    }
  };

  const show = (button) => keeping(button, () => {
    if (open) open.setAttribute('aria-expanded', 'false');
    open = button;
    button.setAttribute('aria-expanded', 'true');
    const item = data.items[Number(button.dataset.item)];
    const end = make('button', 'Close', 'close');
    end.type = 'button';
    end.addEventListener('click', close);
    panel.replaceChildren(make('h2', item.title), end, list(item.facts));
    for (const [title, text] of item.copy) panel.append(...copyable(title, text));
    for (const index of item.messages) panel.append(...message(data.messages[index]));
    panel.hidden = false;
    panel.scrollTop = 0;
  });

  const visible = () => rows.filter((row) => !row.hidden);

  const texts = new Map();
  const textOf = (row) => {
    let text = texts.get(row);
    if (text === undefined) {
      const item = data.items[Number(row.firstElementChild.dataset.item)];
      const found = [row.textContent, ...item.facts.flat()];
      for (const index of item.messages) {
        const view = data.messages[index];
        found.push(view.title, ...view.headers.flat(), view.body || '');
      }
      text = found.join('\n').toLowerCase();
      texts.set(row, text);
    }
    return text;
  };

  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = (!only.value || row.classList.contains(only.value))
        && (!party.value || row.dataset.with.split(' ').includes(party.value))
        && words.every((word) => textOf(row).includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    const all = !words.length && !only.value && !party.value;
    for (const pause of document.querySelectorAll('.pause')) pause.hidden = !all;
    for (const step of document.querySelectorAll('.step')) {
      const rest = step.querySelector('.arrow');
      step.hidden = !all && !(rest && step.querySelector('.arrow:not([hidden])'));
    }
    count.textContent = all ? '' : `${shown} of ${rows.length} messages`;
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest('.arrow button');
    if (button) {
      if (open === button) close(); else show(button);
    }
  });

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === '/' && !typing) {
      event.preventDefault();
      if (find) find.focus();
    } else if (event.key === 'Escape') {
      if (event.target === find) { find.value = ''; filter(); }
      close();
    } else if (!typing && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      if (event.target.closest('#panel, .scroll')) return;
      const row = event.target.closest('.arrow');
      const all = visible();
      let next = all[all.indexOf(row) + (event.key === 'ArrowDown' ? 1 : -1)];
      if (!row) {
        // Nothing is chosen yet: the one that failed, if it is to be seen, else the first seen.
        const seen = all.filter((each) => {
          const place = each.getBoundingClientRect();
          return place.bottom > 0 && place.top < window.innerHeight;
        });
        next = seen.find((each) => each.classList.contains('failed')) || seen[0] || all[0];
      }
      if (!next) return;
      event.preventDefault();
      const button = next.firstElementChild;
      button.focus();
      if (open) show(button);
    }
  });

  if (find) {
    find.form.addEventListener('submit', (event) => event.preventDefault());
    find.addEventListener('input', filter);
    for (const field of [only, party]) field.addEventListener('change', filter);
  }
  for (const row of rows) row.firstElementChild.setAttribute('aria-expanded', 'false');
})();

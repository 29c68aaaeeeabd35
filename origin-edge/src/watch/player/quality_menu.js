/**
 * The quality button and its menu: Auto and the ladder, operated as the ARIA menu-button pattern says (arrows, Home,
 * End, Escape; Tab closes).
 */

/**
 * @typedef {object} QualityChoices
 * @property {readonly string[]} renditions from the best to the least
 * @property {string | undefined} rendition the one now playing
 * @property {string | undefined} chosen undefined for automatic
 */

export class QualityMenu {
  #elements;
  #choose;
  /** What the menu was last drawn from. */
  #drawn = '';

  /**
   * @param {Pick<import('./player_elements.js').PlayerElements, 'quality' | 'qualityText' | 'qualityMenu' | 'qualityHolder'>} elements
   * @param {(rendition: string | undefined) => void} choose
   */
  constructor(elements, choose) {
    this.#elements = elements;
    this.#choose = choose;
    const { quality, qualityMenu, qualityHolder } = elements;
    quality.addEventListener('click', () => (this.open ? this.close() : this.#show()));
    quality.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
      event.preventDefault();
      if (!quality.disabled) this.#show();
    });
    qualityMenu.addEventListener('keydown', (event) => this.#onKey(event));
    qualityHolder.addEventListener('focusout', (event) => {
      if (!(event.relatedTarget instanceof Node) || !qualityHolder.contains(event.relatedTarget)) this.close();
    });
    document.addEventListener('pointerdown', (event) => {
      if (this.open && event.target instanceof Node && !qualityHolder.contains(event.target)) this.close();
    });
  }

  get open() {
    return !this.#elements.qualityMenu.hidden;
  }

  /** @param {QualityChoices} choices */
  update({ renditions, rendition, chosen }) {
    const { quality, qualityText, qualityHolder } = this.#elements;
    const shown = chosen ?? (rendition === undefined ? 'Auto' : `Auto · ${rendition}`);
    const drawn = JSON.stringify([renditions, rendition, chosen]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    qualityHolder.hidden = renditions.length === 0;
    quality.disabled = renditions.length === 0;
    qualityText.textContent = shown;
    quality.setAttribute('aria-label', `Quality: ${shown}`);
    this.#draw(renditions, rendition, chosen);
  }

  close() {
    const { quality, qualityMenu } = this.#elements;
    if (qualityMenu.hidden) return;
    const focused = qualityMenu.contains(document.activeElement);
    qualityMenu.hidden = true;
    quality.setAttribute('aria-expanded', 'false');
    if (focused) quality.focus();
  }

  #show() {
    const { quality, qualityMenu } = this.#elements;
    qualityMenu.hidden = false;
    quality.setAttribute('aria-expanded', 'true');
    const items = this.#items();
    (items.find((item) => item.getAttribute('aria-checked') === 'true') ?? items[0])?.focus();
  }

  #items() {
    return [...this.#elements.qualityMenu.querySelectorAll('button')];
  }

  /**
   * Items are made anew only when the ladder changes: the one that has the focus stays.
   *
   * @param {readonly string[]} renditions
   * @param {string | undefined} rendition
   * @param {string | undefined} chosen
   */
  #draw(renditions, rendition, chosen) {
    const { qualityMenu } = this.#elements;
    const ladder = renditions.join(' ');
    if (qualityMenu.dataset['ladder'] !== ladder) {
      qualityMenu.dataset['ladder'] = ladder;
      qualityMenu.replaceChildren(this.#item(undefined), ...renditions.map((name) => this.#item(name)));
    }
    const values = [undefined, ...renditions];
    for (const [index, item] of this.#items().entries()) {
      item.setAttribute('aria-checked', String(values[index] === chosen));
      const note = item.querySelector('.note');
      if (note !== null) note.textContent = index === 0 && chosen === undefined ? (rendition ?? '') : '';
    }
  }

  /** @param {string | undefined} rendition undefined for automatic */
  #item(rendition) {
    const item = document.createElement('button');
    item.type = 'button';
    item.tabIndex = -1;
    item.setAttribute('role', 'menuitemradio');
    const label = document.createElement('span');
    label.textContent = rendition ?? 'Auto';
    const note = document.createElement('span');
    note.className = 'note';
    item.append(label, note);
    item.addEventListener('click', () => {
      this.#choose(rendition);
      this.#elements.quality.focus();
      this.close();
    });
    return item;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const items = this.#items();
    const at = items.findIndex((item) => item === document.activeElement);
    const to = {
      ArrowDown: (at + 1) % items.length,
      ArrowUp: (at - 1 + items.length) % items.length,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      items[to]?.focus();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === 'Tab') {
      this.close();
    }
  }
}

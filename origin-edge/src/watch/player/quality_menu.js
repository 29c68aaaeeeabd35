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
   * @param {readonly string[]} renditions
   * @param {string | undefined} rendition
   * @param {string | undefined} chosen
   */
  #draw(renditions, rendition, chosen) {
    const { qualityMenu } = this.#elements;
    const focused = this.#items().findIndex((item) => item === document.activeElement);
    const auto = this.#item(
      'Auto',
      rendition === undefined || chosen !== undefined ? '' : rendition,
      undefined,
      chosen,
    );
    qualityMenu.replaceChildren(auto, ...renditions.map((name) => this.#item(name, '', name, chosen)));
    if (focused >= 0) this.#items()[focused]?.focus();
  }

  /**
   * @param {string} name
   * @param {string} note
   * @param {string | undefined} value
   * @param {string | undefined} chosen
   */
  #item(name, note, value, chosen) {
    const item = document.createElement('button');
    item.type = 'button';
    item.tabIndex = -1;
    item.setAttribute('role', 'menuitemradio');
    item.setAttribute('aria-checked', String(value === chosen));
    const label = document.createElement('span');
    label.textContent = name;
    const aside = document.createElement('span');
    aside.className = 'note';
    aside.textContent = note;
    item.append(label, aside);
    item.addEventListener('click', () => {
      this.#choose(value);
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

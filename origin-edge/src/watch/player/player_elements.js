/**
 * The elements of one player, found once by their `data-` names in the page's HTML.
 */

/**
 * @template {HTMLElement} Kind
 * @param {ParentNode} root
 * @param {string} name
 * @param {new () => Kind} kind
 * @returns {Kind}
 * @throws {Error} when the page does not hold it
 */
export function element(root, name, kind) {
  const found = root.querySelector(`[data-${name}]`);
  if (found instanceof kind) return found;
  throw new Error(`the page holds no ${kind.name} named data-${name}`);
}

/** @typedef {ReturnType<typeof playerElements>} PlayerElements */

/** @param {HTMLElement} section */
export function playerElements(section) {
  /** @param {string} name */
  const button = (name) => element(section, name, HTMLButtonElement);
  /** @param {string} name */
  const any = (name) => element(section, name, HTMLElement);
  return {
    section,
    video: element(section, 'video', HTMLVideoElement),
    veilTitle: any('veil-title'),
    veilText: any('veil-text'),
    bigPlay: button('big-play'),
    unmute: button('unmute'),
    bar: any('bar'),
    play: button('play'),
    mute: button('mute'),
    volume: element(section, 'volume', HTMLInputElement),
    seekRow: any('seek-row'),
    seek: element(section, 'seek', HTMLInputElement),
    time: any('time'),
    fromStart: button('from-start'),
    live: button('live'),
    liveText: any('live-text'),
    latency: any('latency'),
    stall: any('stall'),
    qualityHolder: any('quality-holder'),
    quality: button('quality'),
    qualityText: any('quality-text'),
    qualityMenu: any('quality-menu'),
    pip: button('pip'),
    full: button('full'),
    announce: any('announce'),
  };
}

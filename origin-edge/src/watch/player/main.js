/**
 * What runs on a page with a player. `window.headwater` is for tests and for support.
 */
import { startEmbedSnippet } from './embed_snippet.js';
import { Player } from './player.js';
import { element } from './player_elements.js';

startEmbedSnippet();
const player = new Player(element(document, 'player', HTMLElement));
Object.assign(window, { headwater: player });
player.begin();

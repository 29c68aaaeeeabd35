/**
 * What runs on `/watch`.
 */
import { startEmbedSnippet } from './embed_snippet.js';

startEmbedSnippet();

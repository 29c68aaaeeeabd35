/**
 * What one entry of the hostile corpus is: what is sent, what our server must do, and what the stock server does.
 */
export const HOSTILE_CLASSES = [
  'handshake',
  'chunking',
  'amf',
  'names',
  'media-before-authorisation',
  'media-after-authorisation',
  'players',
  'bombs',
] as const;
export type HostileClass = (typeof HOSTILE_CLASSES)[number];

/**
 * Bytes, many of them made one after the other (the sender waits for the socket between), a pause, a wait for a status
 * of the server (at most 1 s), or a way to leave.
 */
export type Step =
  | Buffer
  | (() => Iterable<Buffer>)
  | { readonly pauseMs: number }
  | { readonly until: string }
  | 'fin'
  | 'reset';

export type Expectation =
  /** The server closes the socket. */
  | { readonly outcome: 'closed' }
  /** The server says this code, then closes. */
  | { readonly outcome: 'refused'; readonly code: string }
  /** The peer leaves by itself; nothing else may happen. */
  | { readonly outcome: 'left' }
  /** The connection stays live; its own stream gets exactly so many tags, and ends by the goodbye that follows. */
  | { readonly outcome: 'live'; readonly tags: number };

/**
 * What node-media-server 4.4.3 does, measured by stock_comparison.ts. `dies`: the process exits. `accepts`: it says
 * Publish.Start or takes media, or the connection stays open, where that must not be. `leaks`: more than 64 MB stay in
 * memory. `loses`: fewer tags arrive than were sent. `survives`: it does no harm there, for the reason given.
 */
export type StockOutcome = 'dies' | 'accepts' | 'leaks' | 'loses' | `survives: ${string}`;

export interface HostileCase {
  readonly name: string;
  readonly class: HostileClass;
  /** Whether the key is a good one. The stock server knows no bad keys: it takes both. */
  readonly key: 'good' | 'bad';
  readonly steps: (key: string) => readonly Step[];
  /** How many connections do this at once; default 1. */
  readonly connections?: number;
  /** Never reads what the server says. */
  readonly deaf?: boolean;
  readonly expect: Expectation;
  readonly stock: StockOutcome;
}

export const closed: Expectation = { outcome: 'closed' };
export const refused = (code: string): Expectation => ({ outcome: 'refused', code });
export const live = (tags: number): Expectation => ({ outcome: 'live', tags });

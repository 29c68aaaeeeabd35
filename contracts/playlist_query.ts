/**
 * The delivery directives of a media playlist request (RFC 8216bis section 6.2.5): read, written as a cache key, and
 * held against what a playlist already shows. The transcoder and the edge must agree on all three.
 */
import { ContractError } from './contract_error.ts';
import { describeValue } from './ids.ts';

/** Directives other than these three are ignored, as the specification asks. */
export interface PlaylistQuery {
  /** `_HLS_msn`: answer once this media sequence number is there. */
  readonly msn?: number;
  /** `_HLS_part`: answer once this part of segment `msn` is there; never without `msn`. */
  readonly part?: number;
  /** `_HLS_skip=YES` or `v2`: a delta update will do. */
  readonly skip: boolean;
}

/** Media sequence number of the segment being made, and how many of its parts are ready. */
export interface PlaylistPosition {
  readonly msn: number;
  readonly parts: number;
}

const PLAIN: PlaylistQuery = { skip: false };
const NUMBER = /^[0-9]{1,15}$/;
/** More parts than a segment has: 10 s in parts of 0.2 s are 50. */
const MOST_PARTS = 200;

/**
 * A part beyond all parts means the end of its segment, as no part does: one key for all of them, so that a stranger
 * who counts upwards does not make each of his waits a new one.
 * @param query what follows the question mark, undecoded; may be empty
 * @throws ContractError for a directive that is no number, given twice, or a part without its segment (400)
 */
export function parsePlaylistQuery(query: string): PlaylistQuery {
  if (!query.includes('_HLS_')) return PLAIN;
  const found = new Map<string, string>();
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    if (name !== '_HLS_msn' && name !== '_HLS_part' && name !== '_HLS_skip') continue;
    if (found.has(name)) throw new ContractError(name, 'given twice');
    found.set(name, equals < 0 ? '' : pair.slice(equals + 1));
  }
  const msn = parseNumber('_HLS_msn', found.get('_HLS_msn'));
  const part = parseNumber('_HLS_part', found.get('_HLS_part'));
  const skip = found.get('_HLS_skip');
  if (part !== undefined && msn === undefined) throw new ContractError('_HLS_part', 'given without _HLS_msn');
  if (skip !== undefined && skip !== 'YES' && skip !== 'v2') {
    throw new ContractError('_HLS_skip', `got ${describeValue(skip)}, wanted YES or v2`);
  }
  return {
    skip: skip !== undefined,
    ...(msn === undefined ? {} : { msn }),
    ...(part === undefined || part > MOST_PARTS ? {} : { part }),
  };
}

function parseNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!NUMBER.test(text)) throw new ContractError(name, `got ${describeValue(text)}, wanted a whole number`);
  return Number(text);
}

/** The directives in one order and one spelling, with the question mark; empty for a plain reload. */
export function playlistQueryKey(query: PlaylistQuery): string {
  if (query.msn === undefined) return query.skip ? '?_HLS_skip=YES' : '';
  const part = query.part === undefined ? '' : `&_HLS_part=${query.part}`;
  return `?_HLS_msn=${query.msn}${part}${query.skip ? '&_HLS_skip=YES' : ''}`;
}

/**
 * True when a playlist that ends at `position` holds what `query` waits for. A part beyond the last one of its
 * segment means the first part of the next segment (RFC 8216bis section 6.2.5.2).
 */
export function answersQuery(query: PlaylistQuery, position: PlaylistPosition): boolean {
  if (query.msn === undefined || position.msn > query.msn) return true;
  return query.part !== undefined && position.msn === query.msn && position.parts > query.part;
}

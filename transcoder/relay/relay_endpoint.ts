/**
 * Reads the URL of a relay target, `rtmp[s]://host[:port]/app[/…]/key[?query]`, and refuses all that is not plainly one:
 * nobody downstream, neither FFmpeg nor a socket, gets to interpret what a publisher or a webhook wrote.
 */
import { isIP } from 'node:net';
import { RelayRefused } from './relay_error.ts';

export interface RelayEndpoint {
  readonly secure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** First argument of connect: all path parts but the last one. */
  readonly app: string;
  /** The same as an URL, without the key. */
  readonly tcUrl: string;
  /** What is published: the key and the query, as they stand in the URL. A secret. */
  readonly playName: () => string;
  /** True for the same target with the same key. */
  readonly equals: (other: RelayEndpoint) => boolean;
}

const MAX_LENGTH = 2048;
const URL_SHAPE = /^(rtmps?):\/\/([^/?#]*)(\/[^?#]*)?(\?[^#]*)?$/;
const HOST_SHAPE = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+))(?::([0-9]{1,5}))?$/;
/** A label of a host name; an underscore stands in some internal names. */
const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
/** Letters, digits and the signs that keys and apps have. No quotes, brackets, bars, commas, spaces or backslashes. */
const PART = /^[A-Za-z0-9_.~=+@:!*$-]+$/;
const QUERY = /^[A-Za-z0-9_.~=+@:!*$&/?%-]*$/;
/** Control and formatting characters, spaces, and what stands for bytes that are not UTF-8. */
const UNSAFE_DECODED = /[\p{Cc}\p{Cf}\p{Z}\ufffd]/u;

/** @throws RelayRefused without any of the input in it */
export function parseRelayUrl(text: string): RelayEndpoint {
  if (text.length > MAX_LENGTH) throw new RelayRefused(`the URL is longer than ${MAX_LENGTH} characters`);
  if (/[^\x21-\x7e]/.test(text)) throw new RelayRefused('the URL holds spaces, control or non-ASCII characters');
  if (text.indexOf('://') !== text.lastIndexOf('://')) throw new RelayRefused('the URL holds a second one');
  const [, scheme, authority = '', path = '', query = ''] = URL_SHAPE.exec(text) ?? [];
  if (scheme === undefined) throw new RelayRefused('wanted an rtmp:// or rtmps:// URL');
  const secure = scheme === 'rtmps';
  const { host, port } = parseAuthority(authority, secure);
  const parts = path.split('/').filter((part) => part !== '');
  const key = parts.pop();
  if (key === undefined || parts.length === 0) throw new RelayRefused('wanted an app and a key behind the host');
  if (![...parts, key].every((part) => isPart(part))) {
    throw new RelayRefused('the path holds characters that no app and no key has');
  }
  checkQuery(query);
  const app = parts.join('/');
  const name = key + query;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  const tcUrl = `${scheme}://${shownHost}:${port}/${app}`;
  return {
    secure,
    host,
    port,
    app,
    tcUrl,
    // Behind a call, so that neither a logger nor an inspector that walks the object comes upon it.
    playName: () => name,
    equals: (other) => other.tcUrl === tcUrl && other.playName() === name,
  };
}

/** True for a path part, such as a key: it begins with a letter, a digit or `_`, so never like an option. */
export function isPart(part: string): boolean {
  return PART.test(part) && /^[A-Za-z0-9_]/.test(part) && part.length <= 512;
}

function parseAuthority(authority: string, secure: boolean): { host: string; port: number } {
  if (authority.includes('@')) throw new RelayRefused('the URL holds a user name or a password');
  const [, literal, name, portText] = HOST_SHAPE.exec(authority) ?? [];
  const host = literal ?? name;
  if (host === undefined) throw new RelayRefused('the host is not a name or an address');
  const isAddress = literal === undefined ? isIP(host) === 4 : isIP(host) === 6;
  if (!isAddress && (literal !== undefined || !isHostName(host))) {
    throw new RelayRefused('the host is not a name or an address');
  }
  const port = portText === undefined ? (secure ? 443 : 1935) : Number(portText);
  if (port < 1 || port > 65_535) throw new RelayRefused('the port is not from 1 to 65535');
  return { host, port };
}

/** Without forms that resolvers read as numbers: `2130706433`, `0x7f.1`, `127.1`. */
function isHostName(host: string): boolean {
  const labels = host.replace(/\.$/, '').split('.');
  const last = labels.at(-1) ?? '';
  return host.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^(?:[0-9]+|0x[0-9a-f]*)$/i.test(last);
}

function checkQuery(query: string): void {
  if (!QUERY.test(query)) throw new RelayRefused('the query holds characters that it may not');
  let decoded: string;
  try {
    decoded = decodeURIComponent(query);
  } catch (cause) {
    throw new RelayRefused('the query is not well-formed', { cause });
  }
  if (UNSAFE_DECODED.test(decoded)) throw new RelayRefused('the query hides spaces or control characters');
  if (/:\/\//.test(decoded)) throw new RelayRefused('the query hides a second URL');
}

/**
 * The services that a publisher can name in its URL, and where they take streams: the one table, which an operator can
 * change with `HW_RELAY_SERVICES`.
 */
import { parseRelayUrl } from './relay_endpoint.ts';
import { RelayRefused } from './relay_error.ts';

export type RelayMode = 'copy' | 'transcode';

export interface RelayService {
  /** rtmp or rtmps URL up to the app: the key follows. */
  readonly url: string;
  readonly mode: RelayMode;
}

export type RelayServices = ReadonlyMap<string, RelayService>;

export const DEFAULT_RELAY_SERVICES: RelayServices = new Map<string, RelayService>([
  ['youtube', { url: 'rtmps://a.rtmps.youtube.com:443/live2', mode: 'copy' }],
  ['twitch', { url: 'rtmps://ingest.global-contribute.live-video.net:443/app', mode: 'copy' }],
  ['facebook', { url: 'rtmps://live-api-s.facebook.com:443/rtmp', mode: 'copy' }],
]);

const SERVICE_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/**
 * @param text `name=url,…`: each entry replaces or adds a service. `name=off` takes one away; `;transcode` behind the URL
 *   makes it one that gets the encoded form.
 * @throws Error in one line that names the bad entry
 */
export function parseRelayServices(text: string): RelayServices {
  const services = new Map(DEFAULT_RELAY_SERVICES);
  for (const [index, part] of text.split(',').entries()) {
    const entry = part.trim();
    if (entry === '') continue;
    const at = entry.indexOf('=');
    const name = entry.slice(0, Math.max(0, at));
    // Without the entry: what has no name in front may be a URL with its key.
    if (!SERVICE_NAME.test(name)) throw new Error(`entry ${index + 1}: wanted name=url with a lower-case name`);
    const value = entry.slice(at + 1);
    if (value === 'off') services.delete(name);
    else services.set(name, parseService(name, value));
  }
  return services;
}

function parseService(name: string, value: string): RelayService {
  const [address = '', option, ...rest] = value.split(';');
  if (rest.length > 0 || (option !== undefined && option !== 'copy' && option !== 'transcode')) {
    throw new Error(`${name}: wanted copy or transcode behind the semicolon`);
  }
  const url = address.replace(/\/+$/, '');
  try {
    parseRelayUrl(`${url}/key`);
  } catch (cause) {
    if (!(cause instanceof RelayRefused)) throw cause;
    throw new Error(`${name}: ${cause.message}`, { cause });
  }
  if (url.includes('?')) throw new Error(`${name}: wanted a URL without a query`);
  return { url, mode: option ?? 'copy' };
}

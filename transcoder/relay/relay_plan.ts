/**
 * Which relays a publication asks for: those that its URL names by service, and those that the operator's webhook gave.
 */
import type { Publication } from '../stream/session_companion.ts';
import { isPart, parseRelayUrl } from './relay_endpoint.ts';
import type { RelayEndpoint } from './relay_endpoint.ts';
import { RelayRefused } from './relay_error.ts';
import type { RelayMode, RelayServices } from './relay_services.ts';

export interface PlannedRelay {
  /** For logs and events; unique within the plan. */
  readonly name: string;
  readonly mode: RelayMode;
  readonly endpoint: RelayEndpoint;
}

export interface RelayPlan {
  readonly relays: readonly PlannedRelay[];
  /** What was asked for and is not done, with the reason in one line. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

/** Relays of one stream. */
export const MAX_RELAYS = 64;

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const MAX_URL = 2048;

function isMode(mode: string): mode is RelayMode {
  return mode === 'copy' || mode === 'transcode';
}

export function planRelays({ grant, query }: Publication, services: RelayServices): RelayPlan {
  const relays: PlannedRelay[] = [];
  const refused: { name: string; reason: string }[] = [];
  const names = new Set<string>();
  const add = (name: string, mode: RelayMode, endpoint: () => RelayEndpoint) => {
    try {
      if (names.has(name)) throw new RelayRefused('there is another relay of this name');
      if (relays.length >= MAX_RELAYS) throw new RelayRefused(`a stream may have ${MAX_RELAYS} relays`);
      relays.push({ name, mode, endpoint: endpoint() });
      names.add(name);
    } catch (error) {
      if (!(error instanceof RelayRefused)) throw error;
      refused.push({ name, reason: error.message });
    }
  };
  for (const [index, { name, url, mode }] of (grant.relays ?? []).entries()) {
    const isName = NAME.test(name);
    const endpoint = () => {
      if (!isName) throw new RelayRefused('its name is not [a-z0-9][a-z0-9_-]{0,31}');
      if (!isMode(mode)) throw new RelayRefused('its mode is neither copy nor transcode');
      if (url.length > MAX_URL) throw new RelayRefused(`its address is longer than ${MAX_URL} characters`);
      return parseRelayUrl(url);
    };
    add(isName ? name : `relay-${index + 1}`, isMode(mode) ? mode : 'copy', endpoint);
  }
  for (const [name, { url, mode }] of services) {
    const key = query[name];
    if (key !== undefined)
      add(name, mode, () => parseRelayUrl(serviceUrl(url, key, parametersOf(name, query, services))));
  }
  return { relays, refused };
}

/** `youtube_x=y` is the parameter `x=y` of the target's URL. */
function parametersOf(
  service: string,
  query: Publication['query'],
  services: RelayServices,
): readonly (readonly [name: string, value: string])[] {
  const prefix = `${service}_`;
  return (
    Object.entries(query)
      .filter(([name]) => name.startsWith(prefix) && name.length > prefix.length)
      // With services `my` and `my_tube`, `my_tube_x` is the latter's.
      .filter(([name]) => ![...services.keys()].some((other) => other.startsWith(prefix) && isOf(name, other)))
      .map(([name, value]) => [name.slice(prefix.length), value] as const)
  );
}

function isOf(parameter: string, service: string): boolean {
  return parameter === service || parameter.startsWith(`${service}_`);
}

/**
 * @param key as the publisher wrote it, percent-decoded; it may bring its own query, as Facebook's and Twitch's do
 * @throws RelayRefused
 */
function serviceUrl(url: string, key: string, parameters: readonly (readonly [string, string])[]): string {
  const [name = '', ...queries] = key.split('?');
  if (!isPart(name)) throw new RelayRefused('the stream key is empty or holds characters that no key has');
  if (queries.length > 1) throw new RelayRefused('the stream key holds two queries');
  const added = parameters.map(([parameter, value]) => `${parameter}=${encodeURIComponent(value)}`);
  const query = [...queries.filter((text) => text !== ''), ...added].join('&');
  return `${url}/${name}${query === '' ? '' : `?${query}`}`;
}

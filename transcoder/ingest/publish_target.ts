/**
 * Reads app, stream key and query out of what an encoder makes of `rtmp://host/{app}/{streamKey}?{query}`. Encoders cut
 * that URL at different places: FFmpeg sends app `stream/KEY` and an empty name for a URL that ends in a slash, OBS
 * leaves a query in the app, GStreamer keeps all as it is.
 */
import { PublishRefused } from './publisher.ts';

export interface ConnectTarget {
  readonly app: string;
  /** What the app held after its first part. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export interface PublishTarget {
  readonly app: string;
  /** A secret. */
  readonly streamKey: string;
  readonly query: Readonly<Record<string, string>>;
}

const MAX_TEXT = 4096;
const MAX_PARTS = 4;
const MAX_PARAMETERS = 32;
const STREAM_KEY = /^[A-Za-z0-9_.~=+@:!*-]{1,256}$/;
const PARAMETER_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const UNSAFE_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
/** Control and formatting characters, line separators, and what stands for bytes that are not UTF-8. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/u;
/** FFmpeg and Flash put these before names that end in such a suffix. */
const MEDIA_PREFIX = /^(?:flv|mp4|f4v|mp3):/;

/** True for what may be a stream key: 1 to 256 characters of ASCII letters, digits and `_.~=+@:!*-`, not dots alone. */
export function isStreamKey(value: string): boolean {
  return STREAM_KEY.test(value) && !/^\.+$/.test(value);
}

/**
 * @param app and `tcUrl` from the command object of connect (RTMP 1.0 section 7.2.1.1); the URL only stands in for a
 *   missing app and adds its query
 * @throws PublishRefused without any of the input in it
 */
export function parseConnectTarget(app: unknown, tcUrl: unknown, apps: readonly string[]): ConnectTarget {
  const url = typeof tcUrl === 'string' ? splitQuery(tcUrl) : undefined;
  const given = typeof app === 'string' && app !== '' ? splitQuery(app) : undefined;
  const path = given?.path ?? url?.path.replace(/^[a-z]+:\/\/[^/]*/i, '');
  const parts = pathParts(path ?? '');
  const [name, ...rest] = parts;
  if (name === undefined || !apps.includes(name)) {
    throw new PublishRefused('NetConnection.Connect.InvalidApp', `this server has the apps ${apps.join(' and ')}`);
  }
  return { app: name, path: rest, query: { ...parseQuery(url?.query ?? ''), ...parseQuery(given?.query ?? '') } };
}

/**
 * @param publishName first argument of the publish command (section 7.2.2.6)
 * @throws PublishRefused with NetStream.Publish.BadName, without any of the input in it
 */
export function parsePublishTarget(connect: ConnectTarget, publishName: unknown): PublishTarget {
  if (typeof publishName !== 'string') throw badName('the stream name is not a text');
  const { path, query } = splitQuery(publishName);
  const parts = [...connect.path, ...pathParts(path.replace(MEDIA_PREFIX, ''))];
  const streamKey = parts.at(-1);
  if (streamKey === undefined) throw badName('no stream key: publish to rtmp://host/app/key');
  if (parts.length > MAX_PARTS) throw badName(`more than ${MAX_PARTS} path parts`);
  return { app: connect.app, streamKey, query: { ...connect.query, ...parseQuery(query) } };
}

function badName(description: string): PublishRefused {
  return new PublishRefused('NetStream.Publish.BadName', description);
}

function splitQuery(text: string): { path: string; query: string } {
  if (text.length > MAX_TEXT) throw badName(`longer than ${MAX_TEXT} characters`);
  const mark = text.indexOf('?');
  return mark < 0 ? { path: text, query: '' } : { path: text.slice(0, mark), query: text.slice(mark + 1) };
}

/** Empty parts (doubled, leading and trailing slashes) do not count. */
function pathParts(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  if (!parts.every((part) => isStreamKey(part))) throw badName('the stream name holds characters that no key has');
  return parts;
}

function parseQuery(text: string): Record<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (!PARAMETER_NAME.test(name) || UNSAFE_NAMES.has(name)) throw badName('the query has a bad parameter name');
    if (CONTROL.test(value)) throw badName('the query has a bad parameter value');
    if (parameters.has(name)) throw badName('the query names a parameter twice');
    parameters.set(name, value);
    if (parameters.size > MAX_PARAMETERS) throw badName(`more than ${MAX_PARAMETERS} query parameters`);
  }
  return Object.fromEntries(parameters);
}

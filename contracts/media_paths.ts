/**
 * The paths that viewers see, built and parsed in one place: what one part writes into a playlist, every other part
 * can read. A path that does not round-trip exactly (encodings, leading zeros, doubled slashes) is not one of ours.
 */
import { isEpoch, isRenditionName, isSessionId, isStreamId } from './ids.ts';
import type { Epoch, RenditionName, SessionId, StreamId } from './ids.ts';

export type MediaPath =
  | { readonly kind: 'multivariant'; readonly streamId: StreamId }
  | { readonly kind: 'media'; readonly streamId: StreamId; readonly rendition: RenditionName }
  | { readonly kind: 'init'; readonly streamId: StreamId; readonly epoch: Epoch; readonly rendition: RenditionName }
  | {
      readonly kind: 'segment';
      readonly streamId: StreamId;
      readonly epoch: Epoch;
      readonly rendition: RenditionName;
      readonly msn: number;
    }
  | {
      readonly kind: 'part';
      readonly streamId: StreamId;
      readonly epoch: Epoch;
      readonly rendition: RenditionName;
      readonly msn: number;
      readonly part: number;
    }
  | { readonly kind: 'rewind-multivariant'; readonly streamId: StreamId }
  | { readonly kind: 'rewind-media'; readonly streamId: StreamId; readonly rendition: RenditionName }
  | { readonly kind: 'vod-multivariant'; readonly streamId: StreamId; readonly sessionId: SessionId }
  | {
      readonly kind: 'vod-media';
      readonly streamId: StreamId;
      readonly sessionId: SessionId;
      readonly rendition: RenditionName;
    }
  | { readonly kind: 'poster'; readonly streamId: StreamId }
  | { readonly kind: 'status'; readonly streamId: StreamId };

/** The absolute path of an object, beginning with a slash. */
export function buildMediaPath(path: MediaPath): string {
  const stream = `/${path.streamId}`;
  switch (path.kind) {
    case 'multivariant':
      return `${stream}/live.m3u8`;
    case 'media':
      return `${stream}/${path.rendition}/index.m3u8`;
    case 'init':
      return `${stream}/${path.epoch}/${path.rendition}/init.mp4`;
    case 'segment':
      return `${stream}/${path.epoch}/${path.rendition}/${path.msn}.m4s`;
    case 'part':
      return `${stream}/${path.epoch}/${path.rendition}/${path.msn}.${path.part}.m4s`;
    case 'rewind-multivariant':
      return `${stream}/rewind.m3u8`;
    case 'rewind-media':
      return `${stream}/rewind/${path.rendition}.m3u8`;
    case 'vod-multivariant':
      return `${stream}/vod-${path.sessionId}.m3u8`;
    case 'vod-media':
      return `${stream}/vod-${path.sessionId}/${path.rendition}.m3u8`;
    case 'poster':
      return `${stream}/poster.jpg`;
    case 'status':
      return `${stream}/status.json`;
  }
}

const SHAPE = /^\/([a-z0-9][a-z0-9_-]{0,63})\/([A-Za-z0-9_./-]{1,160})$/;

/** Reads a URL's path (no query). Anything that is not exactly what `buildMediaPath` writes gives undefined. */
export function parseMediaPath(pathname: string): MediaPath | undefined {
  const match = SHAPE.exec(pathname);
  const streamId = match?.[1];
  const rest = match?.[2]?.split('/');
  if (!isStreamId(streamId) || rest === undefined) return undefined;
  const parsed = parseRest(streamId, rest);
  return parsed !== undefined && buildMediaPath(parsed) === pathname ? parsed : undefined;
}

function parseRest(streamId: StreamId, rest: readonly string[]): MediaPath | undefined {
  const [first, second, third] = rest;
  if (rest.length === 1 && first !== undefined) return parseTop(streamId, first);
  if (rest.length === 2 && first !== undefined && second !== undefined) return parsePlaylist(streamId, first, second);
  if (rest.length === 3 && first !== undefined && second !== undefined && third !== undefined) {
    return parseObject(streamId, Number(first), second, third);
  }
  return undefined;
}

function parseTop(streamId: StreamId, name: string): MediaPath | undefined {
  if (name === 'live.m3u8') return { kind: 'multivariant', streamId };
  if (name === 'rewind.m3u8') return { kind: 'rewind-multivariant', streamId };
  if (name === 'poster.jpg') return { kind: 'poster', streamId };
  if (name === 'status.json') return { kind: 'status', streamId };
  const sessionId = name.startsWith('vod-') && name.endsWith('.m3u8') ? name.slice(4, -5) : undefined;
  return isSessionId(sessionId) ? { kind: 'vod-multivariant', streamId, sessionId } : undefined;
}

function parsePlaylist(streamId: StreamId, folder: string, name: string): MediaPath | undefined {
  if (name === 'index.m3u8' && isRenditionName(folder)) return { kind: 'media', streamId, rendition: folder };
  const rendition = name.endsWith('.m3u8') ? name.slice(0, -5) : undefined;
  if (!isRenditionName(rendition)) return undefined;
  if (folder === 'rewind') return { kind: 'rewind-media', streamId, rendition };
  const sessionId = folder.startsWith('vod-') ? folder.slice(4) : undefined;
  return isSessionId(sessionId) ? { kind: 'vod-media', streamId, sessionId, rendition } : undefined;
}

function parseObject(streamId: StreamId, epoch: number, rendition: string, name: string): MediaPath | undefined {
  if (!isEpoch(epoch) || !isRenditionName(rendition)) return undefined;
  if (name === 'init.mp4') return { kind: 'init', streamId, epoch, rendition };
  const match = /^([0-9]{1,15})(?:\.([0-9]{1,6}))?\.m4s$/.exec(name);
  if (match === null) return undefined;
  const msn = Number(match[1]);
  if (match[2] === undefined) return { kind: 'segment', streamId, epoch, rendition, msn };
  return { kind: 'part', streamId, epoch, rendition, msn, part: Number(match[2]) };
}

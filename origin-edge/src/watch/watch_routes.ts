/**
 * The pages that people see: `/watch` (enter a stream, embed it), `/watch/{streamId}` (the player), `/embed/{streamId}`
 * (the player alone, for iframes) and the files that these need. Nothing on them comes from another host.
 */
import type { Context, Hono } from 'hono';
import { CACHE_POLICY } from '../../../contracts/cache_policy.ts';
import { isStreamId } from '../../../contracts/ids.ts';
import { assetPath, versionOfAssets } from './asset_version.ts';
import { embedPage } from './embed_page.ts';
import { frontPage } from './front_page.ts';
import { missingPage } from './missing_page.ts';
import { pageHeaders } from './page_headers.ts';
import type { Framing } from './page_headers.ts';
import { streamPage } from './stream_page.ts';

/** One file that the pages load. */
export interface WatchAsset {
  readonly body: Uint8Array;
  readonly contentType: string;
  /** The same bytes under gzip, where the runtime has them ready. */
  readonly gzip?: Uint8Array;
}

/** What the pages need from their runtime. */
export interface WatchDependencies {
  /** The file of that name (one of `WATCH_ASSET_NAMES`), undefined when there is none. Answers from memory. */
  readonly assets: (name: string) => Promise<WatchAsset | undefined>;
}

/** Registers the pages and their files on `app`. */
export function watchRoutes(app: Hono, deps: WatchDependencies): void {
  const version = onceSettled(() => versionOfAssets(deps.assets));
  app.get('/watch', async (c) => {
    const wanted = c.req.query('stream')?.trim().toLowerCase();
    if (isStreamId(wanted)) {
      c.header('Cache-Control', 'no-store');
      return c.redirect(`/watch/${wanted}`, 302);
    }
    const assets = assetPath(await version());
    return html(c, 'top', 200, frontPage({ assets, origin: originOf(c), refused: wanted }));
  });
  app.get('/watch/assets/:version/:name', async (c) => asset(c, deps, await version()));
  app.get('/watch/:streamId', async (c) => {
    const streamId = c.req.param('streamId');
    const assets = assetPath(await version());
    if (!isStreamId(streamId)) return html(c, 'top', 404, missingPage({ assets }));
    return html(c, 'top', 200, streamPage({ assets, origin: originOf(c), streamId }));
  });
  app.get('/embed/:streamId', async (c) => {
    const streamId = c.req.param('streamId');
    const assets = assetPath(await version());
    if (!isStreamId(streamId)) return html(c, 'anywhere', 404, missingPage({ assets }));
    return html(c, 'anywhere', 200, embedPage({ assets, streamId }));
  });
}

/** Keeps the first result; a failure is not kept, so that the next request tries again. */
function onceSettled<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let kept: Promise<Value> | undefined;
  return () => {
    kept ??= make().catch((error: unknown) => {
      kept = undefined;
      throw error;
    });
    return kept;
  };
}

function html(c: Context, framing: Framing, status: 200 | 404, body: string): Response {
  const cacheControl = CACHE_POLICY[status === 200 ? 'page' : 'not-found'].cacheControl(0);
  return c.body(body, status, {
    ...pageHeaders(framing),
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': cacheControl,
  });
}

/** Only what the reader sees until the page's own script puts `location.origin` there. */
function originOf(c: Context): string {
  return new URL(c.req.url).origin;
}

/**
 * A file is immutable under the version that it belongs to. Under another one (an older or newer edge behind the same
 * name made the page) it is answered with what is here, and kept nowhere.
 */
async function asset(c: Context, deps: WatchDependencies, version: string): Promise<Response> {
  const found = await deps.assets(c.req.param('name') ?? '');
  const common = { 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': 'same-origin' };
  if (found === undefined) {
    return c.text('No such file.\n', 404, { ...common, 'Cache-Control': CACHE_POLICY['not-found'].cacheControl(0) });
  }
  const gzip = found.gzip !== undefined && acceptsGzip(c.req.header('Accept-Encoding'));
  const headers = {
    ...common,
    'Content-Type': found.contentType,
    'Cache-Control': c.req.param('version') === version ? CACHE_POLICY.asset.cacheControl(0) : 'no-store',
    ...(found.gzip === undefined ? {} : { Vary: 'Accept-Encoding' }),
    ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
  };
  return c.body(toBytes(gzip && found.gzip !== undefined ? found.gzip : found.body), 200, headers);
}

function acceptsGzip(header: string | undefined): boolean {
  return /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)/i.test(header ?? '');
}

/** A view over an ArrayBuffer, which is what a Response's body is typed to take. */
function toBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

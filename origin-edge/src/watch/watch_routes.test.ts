import { Hono } from 'hono';
import { beforeEach, describe, expect, it } from 'vitest';
import { WATCH_ASSET_NAMES, versionOfAssets } from './asset_version.ts';
import { watchRoutes } from './watch_routes.ts';
import type { WatchAsset } from './watch_routes.ts';

const encoder = new TextEncoder();

function filesWith(main: string): (name: string) => Promise<WatchAsset | undefined> {
  const names: readonly string[] = WATCH_ASSET_NAMES;
  return (name) => {
    if (!names.includes(name)) return Promise.resolve(undefined);
    const body = encoder.encode(name === 'main.js' ? main : name);
    return Promise.resolve({ body, contentType: 'text/javascript', gzip: encoder.encode('squeezed') });
  };
}

function appWith(assets: (name: string) => Promise<WatchAsset | undefined>): Hono {
  const app = new Hono();
  watchRoutes(app, { assets });
  return app;
}

let app: Hono;

beforeEach(() => {
  app = appWith(filesWith('play()'));
});

describe('the pages', () => {
  it.each(['/watch', '/watch/demo', '/embed/demo'])('%s is HTML that loads nothing from elsewhere', async (path) => {
    const reply = await app.request(`https://live.example${path}`);
    const page = await reply.text();
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(reply.headers.get('cache-control')).toBe('public, max-age=60');
    for (const [, address] of page.matchAll(/<(?:script|link|img|use|a|form)[^>]* (?:src|href|action)="([^"]*)"/g)) {
      expect(address).toMatch(/^[/#](?!\/)/);
    }
    expect(page).not.toMatch(/ style="| on[a-z]+="|<style|<script>/);
  });

  it('allows nothing but its own origin', async () => {
    const { headers } = await app.request('/watch/demo');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
        "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('lets any site frame the embedded player, and that alone', async () => {
    const { headers } = await app.request('/embed/demo');
    expect(headers.get('content-security-policy')).toMatch(/; frame-ancestors \*$/);
    expect(headers.get('x-frame-options')).toBeNull();
  });

  it('shows the embed code for the address that was asked', async () => {
    const page = await (await app.request('https://live.example/watch/demo')).text();
    expect(page).toContain('&lt;iframe src=&quot;https://live.example/embed/demo&quot;');
    expect(page).toContain('data-stream="demo"');
  });

  it.each(['/watch/Demo', '/watch/%3Cscript%3E', '/embed/watch', `/watch/${'a'.repeat(65)}`])(
    '%s is no stream: 404, without a word of it in the page',
    async (path) => {
      const reply = await app.request(path);
      expect(reply.status).toBe(404);
      expect(reply.headers.get('cache-control')).toBe('public, max-age=1');
      expect(await reply.text()).not.toMatch(/Demo|<script>|aaaa|%3C/);
    },
  );
});

describe('the form', () => {
  it('leads to the stream', async () => {
    const reply = await app.request('/watch?stream=+Demo_2+');
    expect(reply.status).toBe(302);
    expect(reply.headers.get('location')).toBe('/watch/demo_2');
    expect(reply.headers.get('cache-control')).toBe('no-store');
  });

  it('says what is wrong and escapes what was entered', async () => {
    const page = await (await app.request(`/watch?stream=${encodeURIComponent('"><script>alert(1)</script>')}`)).text();
    expect(page).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"');
    expect(page).toContain('aria-invalid="true"');
    expect(page).not.toContain('<script>alert');
  });
});

describe('the files', () => {
  it('are immutable under their version', async () => {
    const version = await versionOfAssets(filesWith('play()'));
    const reply = await app.request(`/watch/assets/${version}/main.js`);
    expect(await reply.text()).toBe('play()');
    expect(reply.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(reply.headers.get('content-type')).toBe('text/javascript');
    expect(reply.headers.get('vary')).toBe('Accept-Encoding');
    expect(await (await app.request('/watch/demo')).text()).toContain(`/watch/assets/${version}/main.js`);
  });

  it('are kept nowhere under another version', async () => {
    const reply = await app.request('/watch/assets/0000000000000000/main.js');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    ['gzip, br', 'gzip'],
    ['br;q=1.0, gzip;q=0.8, *;q=0.1', 'gzip'],
    ['gzip;q=0', null],
    ['br', null],
    ['', null],
  ])('answer Accept-Encoding "%s" with %s', async (accepted, encoding) => {
    const reply = await app.request('/watch/assets/x/main.js', { headers: { 'Accept-Encoding': accepted } });
    expect(reply.headers.get('content-encoding')).toBe(encoding);
    expect(await reply.text()).toBe(encoding === null ? 'play()' : 'squeezed');
  });

  it.each(['/watch/assets/x/other.js', '/watch/assets/x/..%2Fmain.js', '/watch/assets/x/player.js.map'])(
    '%s is not there',
    async (path) => expect((await app.request(path)).status).toBe(404),
  );

  it('get another version when one of them changes', async () => {
    const version = await versionOfAssets(filesWith('play()'));
    expect(version).toMatch(/^[0-9a-f]{16}$/);
    expect(await versionOfAssets(filesWith('play(1)'))).not.toBe(version);
  });

  it('that are missing are named', async () => {
    await expect(versionOfAssets(() => Promise.resolve(undefined))).rejects.toThrow('announcer.js is missing');
  });
});

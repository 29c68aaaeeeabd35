import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { GuardedRtmp } from './node_media_server.ts';

const C0_C1 = Buffer.concat([Buffer.of(3), Buffer.alloc(1536, 7)]);

function setUp(): { readonly rtmp: GuardedRtmp; readonly sent: Buffer[]; readonly chunks: Buffer[] } {
  const sent: Buffer[] = [];
  const chunks: Buffer[] = [];
  const rtmp = new GuardedRtmp({ output: (bytes) => sent.push(bytes), chunks: (data) => chunks.push(data) });
  return { rtmp, sent, chunks };
}

describe('the guard over node-media-server', () => {
  test('is the only file of the transcoder that imports it', () => {
    const root = join(import.meta.dirname, '..');
    const importers = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
      .filter((path) => /(?:from|import|require)\s*\(?'node-media-server/.test(readFileSync(join(root, path), 'utf8')));
    expect(importers).toStrictEqual([join('ingest', 'node_media_server.ts')]);
  });

  test('importing it holds nothing open', () => {
    expect(process.getActiveResourcesInfo().filter((kind) => kind.includes('Server'))).toStrictEqual([]);
  });

  test('a connection does not cost a mebibyte', () => {
    const before = process.memoryUsage().arrayBuffers;
    const all = Array.from({ length: 100 }, () => setUp().rtmp);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000);
    expect(all).toHaveLength(100);
  });

  test('answers the handshake and hands the rest on, however it is cut', () => {
    const { rtmp, sent, chunks } = setUp();
    const all = Buffer.concat([C0_C1, Buffer.alloc(1536), Buffer.from('chunks')]);
    for (let at = 0; at < all.length; at += 700) rtmp.parserData(all.subarray(at, at + 700));
    expect(Buffer.concat(sent)).toHaveLength(1 + 2 * 1536);
    expect(Buffer.concat(chunks).toString()).toBe('chunks');
    expect(rtmp.handshakeDone).toBe(true);
  });

  test('takes version 3 alone', () => {
    const { rtmp } = setUp();
    expect(() => rtmp.parserData(Buffer.of(6))).toThrow('version 6, wanted 3');
  });

  test('writes nothing to the log and nothing but ASCII to the peer', () => {
    const written = vi.spyOn(console, 'log');
    const { rtmp, sent } = setUp();
    rtmp.sendStatus(1, 'error', 'NetStream.Publish.BadName', 'clé\nsecret');
    expect(Buffer.concat(sent).toString('latin1')).toContain('cl??secret');
    rtmp.sendInvokeMessage(0, { cmd: 'unknown to it', secret: 'x' });
    expect(written).not.toHaveBeenCalled();
    written.mockRestore();
  });
});

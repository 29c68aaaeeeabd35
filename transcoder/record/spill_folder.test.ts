import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, RenditionName, SessionId, StreamId } from '../../contracts/ids.ts';
import { silentLogger } from '../stream/testing/silent_logger.ts';
import { SpillFolder } from './spill_folder.ts';
import { QueuedUpload } from './upload.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'headwater-spill-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function spillOf(runId: string, maxBytes = 1e6): SpillFolder {
  return new SpillFolder({ root, maxBytes, runId, logger: silentLogger });
}

function segment(msn: number, body: Buffer): QueuedUpload {
  const [streamId, sessionId] = ['show' as StreamId, '01JAAAAAAAAAAAAAAAAAAAAAAA' as SessionId];
  const entry = { msn, duration: 2, pdt: 5, size: body.length, sha256: 'a'.repeat(64) };
  const origin = {
    kind: 'segment',
    streamId,
    sessionId,
    epoch: 7 as Epoch,
    rendition: '720p' as RenditionName,
    entry,
  } as const;
  const options = { contentType: 'video/mp4', cacheControl: 'immutable', keepDays: 3 };
  return new QueuedUpload({ key: `show/7/720p/${msn}.m4s`, body: [body], bytes: body.length, options, origin }, 0);
}

/** The folder of a run whose process is no more: its number is one that Linux never gives. */
async function abandon(folder: SpillFolder, runId: string): Promise<string> {
  await folder.keep(segment(0, Buffer.from('first')));
  const name = (await readdir(root)).find((one) => one.endsWith(runId)) ?? '';
  const dead = join(root, `4194999-1-${runId}`);
  await mkdir(dead);
  for (const file of await readdir(join(root, name))) {
    await writeFile(join(dead, file), await readFile(join(root, name, file)));
  }
  await rm(join(root, name), { recursive: true });
  return dead;
}

const BODY = Buffer.from('a line\nand\n\nanother, with newlines');

describe('uploads on disk', () => {
  it('are read back as they were, and go when they are stored', async () => {
    const spill = spillOf('one');
    const kept = await spill.keep(segment(1, BODY));
    expect(Buffer.from(await kept.read()).equals(BODY)).toBe(true);
    expect(spill.bytes).toBe(kept.bytes);
    await kept.remove();
    expect(spill.bytes).toBe(0);
    await expect(kept.read()).rejects.toThrow('ENOENT');
    await spill.close();
    expect(await readdir(root)).toEqual([]);
  });

  it('take no more room than they may', async () => {
    const spill = spillOf('one', 2000);
    await spill.keep(segment(1, Buffer.alloc(1000)));
    await expect(spill.keep(segment(2, Buffer.alloc(1000)))).rejects.toThrow('are full');
    expect(spill.bytes).toBeLessThan(2000);
  });

  it('fail without a trace when the disk fails', async () => {
    await rm(root, { recursive: true });
    await writeFile(root, 'a file');
    const spill = spillOf('one');
    await expect(spill.keep(segment(1, BODY))).rejects.toThrow('ENOTDIR');
    expect(spill.bytes).toBe(0);
  });

  it('of a run that goes on are left alone', async () => {
    const spill = spillOf('one');
    await spill.keep(segment(1, BODY));
    expect(await spillOf('one').adopt()).toEqual([]);
    await mkdir(join(root, 'somebody-elses'));
    await writeFile(join(root, 'somebody-elses', '1.spill'), 'x');
    expect(await spillOf('one').adopt()).toEqual([]);
  });

  it('of a run that is no more are taken over, by one', async () => {
    const dead = spillOf('dead');
    for (const msn of [1, 2, 3]) await dead.keep(segment(msn, Buffer.concat([BODY, Buffer.from([msn])])));
    await abandon(dead, 'dead');
    const [one, other] = [spillOf('one'), spillOf('other')];
    const [mine, theirs] = await Promise.all([one.adopt(), other.adopt()]);
    expect([Math.min(mine.length, theirs.length), Math.max(mine.length, theirs.length)]).toEqual([0, 4]);
    const adopted = mine.length > 0 ? mine : theirs;
    expect(adopted.map(({ record }) => record.key)).toEqual([1, 2, 3, 0].map((msn) => `show/7/720p/${msn}.m4s`));
    expect(adopted[0]?.record).toMatchObject({
      options: { contentType: 'video/mp4', cacheControl: 'immutable', keepDays: 3 },
      origin: { kind: 'segment', entry: { msn: 1 } },
    });
    expect(Buffer.from((await adopted[2]?.body.read()) ?? []).equals(Buffer.concat([BODY, Buffer.from([3])]))).toBe(
      true,
    );
    expect(one.bytes + other.bytes).toBe(adopted.reduce((sum, { body }) => sum + body.bytes, 0));
    for (const { body } of adopted) await body.remove();
    await Promise.all([one.close(), other.close()]);
    expect(await readdir(root)).toEqual([]);
  });

  it('that are damaged are lost, and the others are not', async () => {
    const dead = spillOf('dead');
    for (const msn of [1, 2, 3]) await dead.keep(segment(msn, BODY));
    const folder = await abandon(dead, 'dead');
    const [first, second, third] = (await readdir(folder)).toSorted();
    await truncate(join(folder, first ?? ''), 20);
    await writeFile(join(folder, second ?? ''), '{"v":1}\nx');
    const flipped = await readFile(join(folder, third ?? ''));
    flipped[flipped.length - 1] = 0;
    await writeFile(join(folder, third ?? ''), flipped);
    await writeFile(join(folder, '000000009.spill.part'), 'half');
    const adopted = await spillOf('one').adopt();
    expect(adopted.map(({ record }) => record.key)).toEqual([3, 0].map((msn) => `show/7/720p/${msn}.m4s`));
    await expect(adopted[0]?.body.read()).rejects.toThrow('does not have the SHA-256');
    expect(await adopted[1]?.body.read()).toEqual(Buffer.from('first'));
  });
});

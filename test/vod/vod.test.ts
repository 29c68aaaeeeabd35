/**
 * A recording from its show to its verdict: final at once, playable from start to end across reconnects, verified, and
 * every way of spoiling it found.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SessionId } from '../../contracts/ids.ts';
import { recordingKey } from '../../contracts/recording.ts';
import type { IndexEntry, RecordingIndex, RecordingSummary } from '../../contracts/recording.ts';
import { createFinalizeVod } from '../../functions/finalize_vod.ts';
import { readVodCommand, runVod } from '../../local/hw_vod.ts';
import type { VodResult } from '../../local/hw_vod.ts';
import { createFileStore } from '../../storage/file_store.ts';
import { reportFault } from '../faults/fault_report.ts';
import { eventually } from '../one_machine/eventually.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import {
  finalLine,
  makeDataFolder,
  publishShow,
  recordedSessions,
  startRecordingMachine,
  STREAM,
} from './recorded_show.ts';
import type { DataFolder } from './recorded_show.ts';

const FINAL_WITHIN_MS = 2000;
const SIZE = '854x480';

let folder: DataFolder;
let machine: MachineProcess;
let sessionId: SessionId;
let logged: { readonly endedAtMs: number; readonly finalAtMs: number };

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function finalPlaylists({ recordings }: DataFolder): Promise<string[]> {
  const session = `${STREAM}/vod-${sessionId}`;
  const names = [`${session}.m3u8`, `${session}/360p.m3u8`, `${session}/480p.m3u8`];
  return Promise.all(names.map((name) => readFile(join(recordings, name), 'utf8')));
}

async function readJson<Value>(root: DataFolder, key: string): Promise<Value> {
  return JSON.parse(await readFile(join(root.recordings, key), 'utf8')) as Value;
}

beforeAll(async () => {
  folder = await makeDataFolder();
  machine = await startRecordingMachine(folder);
  for (const seconds of [5, 3]) {
    const publisher = await publishShow(machine, SIZE);
    await after(seconds * 1000);
    await publisher.reset();
    await after(500);
  }
  const last = await publishShow(machine, SIZE);
  await after(3000);
  await last.sayGoodbye();
  const [session] = await eventually('a recording', 5000, async () => {
    const sessions = await recordedSessions(folder);
    return sessions.length > 0 ? sessions : undefined;
  });
  if (session === undefined) throw new Error('nothing was recorded');
  sessionId = session;
  const { time: finalAtMs } = await finalLine(machine, sessionId);
  const ended = machine
    .log()
    .split('\n')
    .find((line) => line.includes('the session has ended'));
  logged = { endedAtMs: (JSON.parse(ended ?? '') as { time: number }).time, finalAtMs };
});

afterAll(async () => {
  await machine.stop();
  await folder.remove();
});

/** A copy that a test may spoil. */
async function copyOfFolder(): Promise<DataFolder> {
  const copy = await makeDataFolder();
  await cp(folder.recordings, copy.recordings, { recursive: true });
  return copy;
}

/** `hw vod …` with that folder. */
function hw(root: DataFolder, ...args: readonly string[]): Promise<VodResult> {
  const command = readVodCommand([...args, `${STREAM}/${sessionId}`]);
  if (command === undefined) throw new Error('this is no command');
  return runVod(command, { HW_DATA_DIR: root.data });
}

describe('the recording of a show with two reconnects', () => {
  it('is final within the bound after its end', () => {
    expect(logged.finalAtMs - logged.endedAtMs).toBeLessThan(FINAL_WITHIN_MS);
  });

  it('lists every rendition, one epoch after the other, and ends', async () => {
    const playlist = await readFile(join(folder.recordings, `${STREAM}/vod-${sessionId}/480p.m3u8`), 'utf8');
    expect(playlist.match(/#EXT-X-DISCONTINUITY\n/g)).toHaveLength(2);
    expect(playlist.match(/#EXT-X-MAP/g)).toHaveLength(3);
    expect(playlist.endsWith('#EXT-X-ENDLIST\n')).toBe(true);
    const summary = await readJson<RecordingSummary>(folder, recordingKey.summary(STREAM, sessionId));
    expect(summary.renditions.map(({ name }) => name)).toEqual(['360p', '480p']);
    expect(summary).toMatchObject({ revision: 1, poster: true });
    expect(summary.duration).toBeGreaterThan(11);
  });

  it.each(['360p', '480p'])('plays from start to end in %s', async (rendition) => {
    const playlist = join(folder.recordings, `${STREAM}/vod-${sessionId}/${rendition}.m3u8`);
    const options = ['-v', 'error', '-xerror', '-protocol_whitelist', 'file', '-allowed_extensions', 'ALL'];
    const output = ['-map', '0:v', '-map', '0:a', '-c', 'copy', '-f', 'framecrc', 'pipe:1'];
    const { stdout, stderr } = await promisify(execFile)('ffmpeg', [...options, '-i', playlist, ...output]);
    expect(stderr).toBe('');
    const summary = await readJson<RecordingSummary>(folder, recordingKey.summary(STREAM, sessionId));
    for (const track of [0, 1]) {
      const ticks = Number(new RegExp(`^#tb ${track}: 1/([0-9]+)$`, 'm').exec(stdout)?.[1]);
      const times = [...stdout.matchAll(new RegExp(`^${track}, +(-?[0-9]+),`, 'gm'))].map(
        (match) => Number(match[1]) / ticks,
      );
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
      expect(Math.abs(span - summary.duration)).toBeLessThan(0.5);
      const longest = Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? 0)));
      // A standing picture has two frames a second.
      expect(longest).toBeLessThan(0.6);
    }
  });

  it('is found good', async () => {
    expect(await hw(folder, 'verify')).toMatchObject({ status: 0, text: expect.stringMatching(/^GOOD: revision 1, /) });
  });

  it('comes to the same when nobody made it final, then two at once, then one late', async () => {
    const copy = await copyOfFolder();
    const playlists = await finalPlaylists(copy);
    const digest = (await readJson<RecordingSummary>(copy, recordingKey.summary(STREAM, sessionId))).digest;
    for (const name of ['recording.json', 'announced.json', '360p.m3u8', '480p.m3u8']) {
      await rm(join(copy.recordings, recordingKey.folder(STREAM, sessionId), name));
    }
    await rm(join(copy.recordings, `${STREAM}/vod-${sessionId}.m3u8`));
    const announced: unknown[] = [];
    const finalize = createFinalizeVod({
      store: createFileStore(copy.recordings),
      announce: (ready) => Promise.resolve(void announced.push(ready)),
      log: () => undefined,
    });
    const request = { streamId: STREAM, sessionId };
    await Promise.all([finalize(request), finalize(request)]);
    expect(await finalPlaylists(copy)).toEqual(playlists);
    const told = announced.length;
    await expect(finalize(request)).resolves.toMatchObject({ outcome: 'unchanged', revision: 1 });
    expect(announced).toHaveLength(told);
    const summary = await readJson<RecordingSummary>(copy, recordingKey.summary(STREAM, sessionId));
    expect(summary).toMatchObject({ revision: 1, digest });
    await reportFault({ row: '43', measured: 'the same bytes' });
    await copy.remove();
  });

  it('stays as it is when it is made final again', async () => {
    const copy = await copyOfFolder();
    const store = createFileStore(copy.recordings);
    const announced: unknown[] = [];
    const announce = (ready: unknown) => Promise.resolve(void announced.push(ready));
    const finalize = createFinalizeVod({ store, announce, log: () => undefined });
    await expect(finalize({ streamId: STREAM, sessionId })).resolves.toMatchObject({
      outcome: 'unchanged',
      revision: 1,
    });
    expect(announced).toEqual([]);
    await copy.remove();
  });
});

/** The segments of the session's first epoch in one rendition, as its indexes name them. */
async function firstEpoch(root: DataFolder) {
  const store = createFileStore(root.recordings);
  for await (const { key } of store.list(recordingKey.indexFolder(STREAM, sessionId))) {
    const index = await readJson<RecordingIndex>(root, key);
    const entries = index.entries['360p'] ?? [];
    const path = (entry: IndexEntry | undefined) =>
      join(root.recordings, `${STREAM}/${index.epoch}/360p/${entry?.msn}.m4s`);
    return { key, index, entries, paths: entries.map(path) };
  }
  throw new Error('there is no index');
}

/** Has the index name what lies there now, and makes the recording final again: as if it had been recorded so. */
async function forgeDigests(root: DataFolder): Promise<void> {
  const { key, index, entries, paths } = await firstEpoch(root);
  const forged = await Promise.all(
    entries.map(async (entry, position) => {
      const body = await readFile(paths[position] ?? '');
      const sha256 = createHash('sha256').update(body).digest('hex');
      return { msn: entry.msn, duration: entry.duration, pdt: entry.pdt, size: body.length, sha256 };
    }),
  );
  await writeFile(
    join(root.recordings, key),
    JSON.stringify({ ...index, entries: { ...index.entries, '360p': forged } }),
  );
  const store = createFileStore(root.recordings);
  for await (const { key: tail } of store.list(recordingKey.tailFolder(STREAM, sessionId))) {
    await writeFile(
      join(root.recordings, tail),
      JSON.stringify({ ...(await readJson<RecordingIndex>(root, tail)), entries: {} }),
    );
  }
  await makeFinal(root);
}

async function change(path: string | undefined, edit: (bytes: Buffer) => Buffer): Promise<void> {
  if (path === undefined) throw new Error('there is no such segment');
  await writeFile(path, edit(await readFile(path)));
}

const flip = (at: (bytes: Buffer) => number) => (bytes: Buffer) => {
  const offset = at(bytes);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x10, offset);
  return bytes;
};

/** Moves the segment's first track by a second. */
function shiftTime(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf('tfdt'); at >= 0; at = bytes.indexOf('tfdt', at + 4)) {
    bytes.writeBigUInt64BE(bytes.readBigUInt64BE(at + 8) + 90_000n, at + 8);
  }
  return bytes;
}

/** Overwrites the middle of the largest mdat. */
function spoilMedia(bytes: Buffer): Buffer {
  return bytes.fill(0xa5, bytes.lastIndexOf('mdat') + 64, bytes.lastIndexOf('mdat') + 1064);
}

describe('a recording that was spoilt', () => {
  type Spoil = (paths: readonly string[]) => Promise<void>;
  const cases: [string, Spoil, RegExp][] = [
    ['a segment was deleted', ([, second = '']) => rm(second), /^360p [0-9]+ .*: it is not there$/m],
    [
      'a segment was cut short',
      ([, second]) => change(second, (bytes) => bytes.subarray(0, -100)),
      /^360p [0-9]+ .*: got [0-9]+ bytes, wanted [0-9]+$/m,
    ],
    [
      'two segments were swapped',
      async ([first = '', second = '']) => {
        const bytes = await readFile(first);
        await cp(second, first);
        await writeFile(second, bytes);
      },
      /^360p [0-9]+ .*: its .* track begins at [0-9]+ ticks/m,
    ],
    [
      'a segment was given other times',
      ([, second]) => change(second, shiftTime),
      /^360p [0-9]+ .*: its SHA-256 is not/m,
    ],
    [
      'a bit was flipped',
      ([, second]) =>
        change(
          second,
          flip((bytes) => bytes.length - 20),
        ),
      /: its SHA-256 is not that/,
    ],
    [
      'an initialization segment was changed',
      async ([first = '']) =>
        change(
          join(first, '../init.mp4'),
          flip((bytes) => bytes.length - 5),
        ),
      /init\.mp4: its SHA-256 is not that/,
    ],
  ];

  it.each(cases)('is found when %s', async (_name, spoil, finding) => {
    const copy = await copyOfFolder();
    await spoil((await firstEpoch(copy)).paths);
    const { status, text } = await hw(copy, 'verify', '--quick');
    expect(status).toBe(1);
    expect(text).toMatch(finding);
    await copy.remove();
  });

  it.each([
    ['times that do not join', shiftTime, /^360p [0-9]+ .*: its vide track begins at [0-9]+ ticks/m],
    ['media that does not decode', spoilMedia, /^360p [0-9]+ .*: it does not decode: /m],
  ] as const)('is found for %s, though every digest be forged', async (_name, spoil, finding) => {
    const copy = await copyOfFolder();
    await change((await firstEpoch(copy)).paths[1], spoil);
    await forgeDigests(copy);
    const { status, text } = await hw(copy, 'verify');
    expect(text).toMatch(finding);
    expect(status).toBe(1);
    expect(text).not.toContain('SHA-256');
    await copy.remove();
  });

  it.each([
    ['does not list a segment', (text: string) => text.replace(/#EXTINF.*\n.*\n/, '')],
    ['does not end', (text: string) => text.replace('#EXT-X-ENDLIST\n', '')],
  ])('is found when a playlist %s', async (_name, edit) => {
    const copy = await copyOfFolder();
    const playlist = join(copy.recordings, `${STREAM}/vod-${sessionId}/360p.m3u8`);
    await writeFile(playlist, edit(await readFile(playlist, 'utf8')));
    const { status, text } = await hw(copy, 'verify', '--quick');
    expect({ status, text }).toMatchObject({ status: 1, text: expect.stringContaining('360p.m3u8: it does not list') });
    await copy.remove();
  });

  it('is good again, with the gap declared, when it was made final anew', async () => {
    const copy = await copyOfFolder();
    await rm((await firstEpoch(copy)).paths[1] ?? '');
    await makeFinal(copy);
    const { status, text } = await hw(copy, 'verify', '--quick');
    expect({ status, text }).toMatchObject({ status: 0, text: expect.stringContaining('revision 2') });
    expect(text).toContain('360p 1, 480p 0');
    await copy.remove();
  });
});

describe('hw vod delete', () => {
  it('asks to be sure, and removes the recording alone', async () => {
    const copy = await copyOfFolder();
    const note = join(copy.recordings, STREAM, 'notes.txt');
    await writeFile(note, 'of a stranger');
    expect(await hw(copy, 'delete')).toMatchObject({ status: 1, text: expect.stringContaining('say --yes') });
    expect(await hw(copy, 'verify', '--quick')).toMatchObject({ status: 0 });
    expect(await hw(copy, 'delete', '--yes')).toMatchObject({
      status: 0,
      text: expect.stringMatching(/^deleted: [0-9]+ objects/),
    });
    const left = await readdir(copy.recordings, { recursive: true });
    expect(left.filter((name) => !name.startsWith('.')).toSorted()).toEqual([STREAM, join(STREAM, 'notes.txt')]);
    expect(await hw(copy, 'delete', '--yes')).toEqual({ status: 1, text: 'there is no such recording' });
    expect(await hw(copy, 'verify')).toMatchObject({ status: 1, text: expect.stringContaining('no such recording') });
    await copy.remove();
  });

  it('refuses while the recording is not final, but for --open', async () => {
    const copy = await copyOfFolder();
    const marker = join(copy.recordings, recordingKey.open(STREAM, sessionId));
    await mkdir(join(marker, '..'), { recursive: true });
    await writeFile(marker, '{}');
    expect(await hw(copy, 'delete', '--yes')).toMatchObject({ status: 1, text: expect.stringContaining('--open') });
    expect(await hw(copy, 'delete', '--yes', '--open')).toMatchObject({ status: 0 });
    await copy.remove();
  });
});

async function makeFinal(root: DataFolder): Promise<void> {
  const store = createFileStore(root.recordings);
  const finalize = createFinalizeVod({ store, announce: () => Promise.resolve(), log: () => undefined });
  await finalize({ streamId: STREAM, sessionId });
}

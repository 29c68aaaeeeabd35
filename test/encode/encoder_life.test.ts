/**
 * The life of the FFmpeg child: a program that is not there, an end with a deadline, a kill, and a parent that dies.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startEncoder } from '../../transcoder/encode/encoder.ts';
import type { Encoder, EncoderExit } from '../../transcoder/encode/encoder.ts';
import { probeFfmpeg } from '../../transcoder/encode/ffmpeg_probe.ts';
import { PLAN, TAGS } from './plain_source.ts';

interface Running {
  readonly encoder: Encoder;
  readonly exit: Promise<EncoderExit>;
  readonly firstOutput: Promise<void>;
  /** Fires the deadline of `end`. */
  readonly deadline: () => void;
}

function start(ffmpeg = 'ffmpeg'): Running {
  const exit = Promise.withResolvers<EncoderExit>();
  const firstOutput = Promise.withResolvers<void>();
  let deadline: (() => void) | undefined;
  const encoder = startEncoder({
    ffmpeg,
    plan: PLAN,
    monotonicMs: () => performance.now(),
    startTimer: (callback) => {
      deadline = callback;
      return () => {};
    },
    outputs: {
      onVideo: () => firstOutput.resolve(),
      onAudio: () => {},
      onPoster: () => {},
      onExit: exit.resolve,
    },
  });
  return { encoder, exit: exit.promise, firstOutput: firstOutput.promise, deadline: () => deadline?.() };
}

/** Whether a process is there and not a zombie. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`still waiting for: ${what}`);
    await delay(20);
  }
}

describe('the FFmpeg child', () => {
  it('is what the probe takes', async () => {
    expect((await probeFfmpeg('ffmpeg')).major).toBeGreaterThanOrEqual(5);
    await expect(probeFfmpeg('/nowhere/ffmpeg')).rejects.toThrow('FFmpeg at /nowhere/ffmpeg is not there');
    await expect(probeFfmpeg('/bin/true')).rejects.toThrow('does not answer like FFmpeg');
  });

  it('that cannot be started is told by onExit', async () => {
    const { encoder, exit } = start('/nowhere/ffmpeg');
    for (const tag of TAGS) encoder.write(tag);
    const { code, lastLines } = await exit;
    expect(code).toBeNull();
    expect(lastLines.join('\n')).toContain('/nowhere/ffmpeg');
    encoder.end();
    encoder.kill();
  });

  it('tells by onExit why it ended', async () => {
    const { encoder, exit } = start();
    for (const tag of TAGS.slice(0, 2)) encoder.write({ ...tag, body: Buffer.from('1700000000', 'hex') });
    encoder.end();
    const { code, lastLines } = await exit;
    expect(code).not.toBe(0);
    expect(lastLines.length).toBeGreaterThan(0);
  });

  it('flushes at the end, and takes nothing after it', async () => {
    const { encoder, exit } = start();
    for (const tag of TAGS) encoder.write(tag);
    encoder.end();
    const { tagsWritten } = encoder.stats();
    for (const tag of TAGS) encoder.write(tag);
    expect(await exit).toEqual({ code: 0, signal: null, lastLines: [] });
    expect(encoder.stats()).toMatchObject({ tagsWritten, bytesQueued: 0, droppedTags: 0 });
    expect(encoder.stats().lastOutputAtMs.video[0]).toBeGreaterThan(0);
  });

  it('is killed when told so', async () => {
    const { encoder, exit, firstOutput } = start();
    for (const tag of TAGS) encoder.write(tag);
    await firstOutput;
    encoder.kill();
    expect(await exit).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('that hangs is killed at the deadline of its end, and its queue is bounded', async () => {
    const { encoder, exit, firstOutput, deadline } = start();
    for (const tag of TAGS) encoder.write(tag);
    await firstOutput;
    process.kill(encoder.pid ?? 0, 'SIGSTOP');
    const inter = TAGS.find((tag) => tag.kind === 'video' && tag.body[0] === 0x27) ?? TAGS[0];
    const large = { kind: 'video', timestampMs: 5000, body: Buffer.alloc(100_000, inter?.body ?? '') } as const;
    for (let count = 0; count < 200; count += 1) encoder.write(large);
    expect(encoder.stats().bytesQueued).toBeLessThan(9 * 1024 * 1024);
    expect(encoder.stats().droppedTags).toBeGreaterThan(100);
    encoder.end();
    deadline();
    expect(await exit).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('does not outlive a parent that is killed', async () => {
    const parent = spawn(process.execPath, [new URL('encoder_parent.ts', import.meta.url).pathname], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(runs(pid)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'close');
    await until(() => !runs(pid), 'FFmpeg to end after its parent');
  });
});

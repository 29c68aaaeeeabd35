/**
 * The README's publish commands publish, its addresses answer, and none of it shows the stream key.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { needsFull } from '../layers/needs_full.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';

const STREAM_KEY = 'readme-key-4fN7q';
const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

/** The shell block of the README that begins with `program`, made to publish to `machine`. */
function publishCommand(program: string, machine: MachineProcess): string {
  const block = [...README.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
    .map((match) => match[1] ?? '')
    .find((text) => text.startsWith(`${program} `));
  if (block === undefined) throw new Error(`the README has no command that begins with ${program}`);
  return block.replace('HOST:1935', `127.0.0.1:${machine.ports.rtmp}`).replace('STREAM_KEY', STREAM_KEY);
}

/** Addresses that the README's tables and snippet name, on `machine`. */
function addresses(machine: MachineProcess): readonly string[] {
  return [...README.matchAll(/http:\/\/HOST:8080(\/[a-z0-9./_-]+)/g)].map(
    (match) => `http://127.0.0.1:${machine.ports.edge}${match[1] ?? ''}`,
  );
}

interface Seen {
  readonly replies: readonly { readonly url: string; readonly status: number; readonly text: string }[];
  /** All that was said by the program and in its replies. */
  readonly said: string;
}

async function publishAndWatch(program: string): Promise<Seen> {
  const machine = await startMachine({ HW_STREAM_KEYS: `demo=${STREAM_KEY}` });
  const publisher = spawn('sh', ['-c', `exec ${publishCommand(program, machine)}`], { stdio: 'ignore' });
  const ended = once(publisher, 'exit');
  try {
    await Promise.race([
      logged(machine, 'media is out'),
      ended.then(([code]) => {
        throw new Error(`${program} ended with code ${String(code)}`);
      }),
    ]);
    const replies = await Promise.all(
      addresses(machine).map(async (url) => {
        const reply = await fetch(url);
        return { url, status: reply.status, headers: [...reply.headers], text: await reply.text() };
      }),
    );
    return { replies, said: machine.log() + JSON.stringify(replies) };
  } finally {
    publisher.kill('SIGINT');
    await ended;
    await machine.stop();
  }
}

async function logged(machine: MachineProcess, message: string): Promise<void> {
  const { stderr } = machine.child;
  if (stderr === null) throw new Error('it has no stderr');
  while (!machine.log().includes(JSON.stringify(message))) await once(stderr, 'data');
}

function expectLive({ replies, said }: Seen): void {
  expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
  expect(replies.find(({ url }) => url.endsWith('/live.m3u8'))?.text).toContain('RESOLUTION=1280x720');
  assertNoSecret(said, { 'the stream key': STREAM_KEY });
}

it('FFmpeg publishes with the command of the README', async () => {
  const seen = await publishAndWatch('ffmpeg');
  expect(seen.replies.length).toBeGreaterThanOrEqual(4);
  expectLive(seen);
});

it('GStreamer publishes with the command of the README', async (context) => {
  needsFull(context);
  const seen = await publishAndWatch('gst-launch-1.0');
  expect(seen.replies.length).toBeGreaterThanOrEqual(4);
  expectLive(seen);
});

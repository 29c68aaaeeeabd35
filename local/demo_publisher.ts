/**
 * `script/server --demo`: a moving test picture with a clock and sound, published inside the process, so that its key
 * stands on no command line. It makes way for a real publisher.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings } from '../contracts/settings.ts';
import type { PublisherConnection, PublishSink } from '../transcoder/ingest/publisher.ts';
import type { Logger } from '../transcoder/logger.ts';
import { FlvStream } from './flv_stream.ts';
import type { OneMachine } from './one_machine.ts';

/** Frames per second of the picture. */
const RATE = 30;
/** Drawn with the system's default font; left out where FFmpeg cannot draw text. */
const CLOCK = `drawtext=text='%{localtime\\:%X}':fontsize=64:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=16:x=(w-tw)/2:y=h-th-60`;

/** @returns how to stop it. @throws Error in one line when there is no key of the stream `demo` to publish with */
export async function startDemo(
  machine: OneMachine,
  env: Readonly<Record<string, string | undefined>>,
  logger: Logger,
): Promise<() => void> {
  if (machine.demoKey === undefined)
    throw new Error('--demo publishes with its own key: leave HW_STREAM_KEYS and HW_AUTH_WEBHOOK_URL unset');
  const { ffmpeg } = readSettings({ ffmpeg: SETTINGS.ffmpeg }, env);
  const picture = new TestPicture(ffmpeg, logger);
  const sink = await machine.transcoder.hub.accept(
    {
      streamKey: machine.demoKey.streamKey,
      app: 'stream',
      query: {},
      clientAddress: '127.0.0.1',
      connectionId: 'demo',
    },
    picture,
    new AbortController().signal,
  );
  picture.start(sink);
  return () => picture.close();
}

class TestPicture implements PublisherConnection {
  readonly connectionId = 'demo';
  readonly clientAddress = '127.0.0.1';
  readonly yields = true;
  readonly #ffmpeg: string;
  readonly #logger: Logger;
  #child: ChildProcess | undefined;
  #sink: PublishSink | undefined;
  #bytes = 0;
  #lastAtMs = performance.now();

  constructor(ffmpeg: string, logger: Logger) {
    this.#ffmpeg = ffmpeg;
    this.#logger = logger;
  }

  get bytesReceived(): number {
    return this.#bytes;
  }

  get silentForMs(): number {
    return performance.now() - this.#lastAtMs;
  }

  reject(code: string, description: string): void {
    this.#logger.warn({ code, reason: description }, 'the test picture was refused');
    this.close();
  }

  close(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#child?.kill('SIGKILL');
    sink?.ended('goodbye', 'the test picture makes way');
  }

  start(sink: PublishSink, clock = true): void {
    this.#sink = sink;
    const child = spawn(this.#ffmpeg, pictureArguments(clock), {
      stdio: ['ignore', 'pipe', 'ignore'],
      // The environment of this program holds secrets, which FFmpeg has no use for: the fonts need HOME, the clock TZ.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: process.env['TZ'] },
    });
    this.#child = child;
    const flv = new FlvStream((tag) => this.#sink?.media(tag));
    child.stdout.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      this.#lastAtMs = performance.now();
      flv.push(chunk);
    });
    child.once('error', (error) => this.reject('NetStream.Publish.Failed', error.message));
    child.once('close', (code) => {
      if (this.#sink !== sink) return;
      if (clock && this.#bytes < 10_000) this.start(sink, false);
      else this.reject('NetStream.Publish.Failed', `the test picture's FFmpeg ended with code ${code}`);
    });
  }
}

function pictureArguments(clock: boolean): readonly string[] {
  return [
    ['-hide_banner', '-nostdin', '-loglevel', 'error'],
    ['-re', '-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=${RATE}`],
    ['-re', '-f', 'lavfi', '-i', 'sine=frequency=330:beep_factor=4:sample_rate=48000'],
    ['-vf', clock ? `${CLOCK},format=yuv420p` : 'format=yuv420p'],
    ['-af', 'volume=0.25'],
    // Like OBS with "zerolatency" and key frames every 2 s: passed through as the top rendition.
    ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', String(2 * RATE)],
    ['-b:v', '2500k', '-maxrate', '2500k', '-bufsize', '2500k'],
    ['-c:a', 'aac', '-b:a', '128k', '-ac', '2'],
    ['-flush_packets', '1', '-f', 'flv', 'pipe:1'],
  ].flat();
}

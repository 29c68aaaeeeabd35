/**
 * `script/server --demo`: a moving test picture with a clock and sound, published inside the process, so that its key
 * stands on no command line. It makes way for a real publisher.
 */
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings } from '../contracts/settings.ts';
import type { PublisherConnection, PublishSink } from '../transcoder/ingest/publisher.ts';
import type { Logger } from '../transcoder/logger.ts';
import type { OneMachine } from './one_machine.ts';
import { startPicture } from './picture_source.ts';

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
  #stop: (() => void) | undefined;
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
    this.#stop?.();
    sink?.ended('goodbye', 'the test picture makes way');
  }

  start(sink: PublishSink): void {
    this.#sink = sink;
    this.#stop = startPicture({
      ffmpeg: this.#ffmpeg,
      onTag: (tag) => {
        this.#bytes += tag.body.length;
        this.#lastAtMs = performance.now();
        this.#sink?.media(tag);
      },
      onFailure: (reason) => this.reject('NetStream.Publish.Failed', reason),
    });
  }
}

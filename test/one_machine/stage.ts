/**
 * One running server and what tests do on it: publish a stream, watch it, ask for its status, and find its FFmpeg. Many
 * streams share a stage, so that a file of cases costs one server.
 */
import type { StreamStatus } from '../../contracts/status.ts';
import { CheckingViewer } from './checking_viewer.ts';
import { eventually } from './eventually.ts';
import { startMachine } from './machine_process.ts';
import type { MachineProcess } from './machine_process.ts';
import { PacedPublisher } from './paced_publisher.ts';
import type { PacedPublisherOptions } from './paced_publisher.ts';

/** A line of the server's log. */
export interface LogLine {
  readonly msg: string;
  readonly streamId?: string;
  readonly epoch?: number;
  readonly ffmpegPid?: number;
  readonly reason?: string;
  readonly policy?: string;
}

export class Stage {
  readonly machine: MachineProcess;
  readonly #viewers: CheckingViewer[] = [];
  readonly #publishers: PacedPublisher[] = [];

  private constructor(machine: MachineProcess) {
    this.machine = machine;
  }

  /** @param streamIds each gets a stream key */
  static async open(streamIds: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Stage> {
    const keys = streamIds.map((streamId) => `${streamId}=${keyOf(streamId)}`);
    return new Stage(await startMachine({ HW_STREAM_KEYS: keys.join(','), HW_MAX_STREAMS: '64', ...env }));
  }

  get origin(): string {
    return `http://127.0.0.1:${this.machine.ports.edge}`;
  }

  /** @throws RtmpRefused */
  async publish(
    streamId: string,
    options: Pick<PacedPublisherOptions, 'source'> & Partial<PacedPublisherOptions>,
  ): Promise<PacedPublisher> {
    const { rtmp } = this.machine.ports;
    const publisher = await PacedPublisher.start({ port: rtmp, key: keyOf(streamId), ...options });
    this.#publishers.push(publisher);
    return publisher;
  }

  follow(streamId: string, rendition = '180p'): CheckingViewer {
    const viewer = CheckingViewer.follow({ origin: this.origin, streamId, rendition });
    this.#viewers.push(viewer);
    return viewer;
  }

  /** Undefined when nothing is known of the stream. */
  async status(streamId: string): Promise<StreamStatus | undefined> {
    const reply = await fetch(`${this.origin}/${streamId}/status.json`);
    const body = await reply.text();
    return reply.status === 200 ? (JSON.parse(body) as StreamStatus) : undefined;
  }

  /** What was logged about a stream so far. */
  log(streamId: string): readonly LogLine[] {
    return this.machine
      .log()
      .split('\n')
      .filter((line) => line.includes(`"${streamId}"`))
      .map((line) => JSON.parse(line) as LogLine)
      .filter((line) => line.streamId === streamId);
  }

  /** The process id of the stream's newest FFmpeg. */
  async encoderOf(streamId: string): Promise<number> {
    return eventually(`${streamId} has an FFmpeg`, 10_000, () => {
      return this.log(streamId).findLast((line) => line.ffmpegPid !== undefined)?.ffmpegPid;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#viewers.map((viewer) => viewer.stop()));
    await Promise.all(this.#publishers.map((publisher) => publisher.reset()));
    await this.machine.stop();
  }
}

export function keyOf(streamId: string): string {
  return `key-of-${streamId}-that-nobody-sees`;
}

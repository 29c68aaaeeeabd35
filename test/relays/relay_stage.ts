/**
 * A session with relays in this process, and targets on real sockets: a real ingest server, or one that misbehaves.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type { Notification } from '../../contracts/lifecycle_event.ts';
import type { RelayTarget } from '../../contracts/publish.ts';
import { systemClock } from '../../transcoder/clock.ts';
import type { Clock } from '../../transcoder/clock.ts';
import type { Logger } from '../../transcoder/logger.ts';
import { newRelayCounters } from '../../transcoder/relay/relay_counters.ts';
import type { RelayCounters } from '../../transcoder/relay/relay_counters.ts';
import { DEFAULT_RELAY_SERVICES } from '../../transcoder/relay/relay_services.ts';
import { SessionRelays } from '../../transcoder/relay/session_relays.ts';
import type { RelayDependencies } from '../../transcoder/relay/session_relays.ts';
import { DEFAULT_TRANSCODE } from '../../transcoder/relay/transcode_settings.ts';

export interface RelayedSession {
  readonly relays: SessionRelays;
  readonly counters: RelayCounters;
  readonly notifications: readonly Notification[];
  /** All that was logged, as text. */
  readonly logged: () => string;
  arrive(targets: readonly Pick<RelayTarget, 'name' | 'url'>[], query?: Readonly<Record<string, string>>): void;
}

export function openRelays(options: Partial<RelayDependencies> & { readonly clock?: Clock } = {}): RelayedSession {
  const counters = newRelayCounters();
  const notifications: Notification[] = [];
  const lines: string[] = [];
  const relays = new SessionRelays(
    { streamId: 'demo' as StreamId, sessionId: '01JAAAAAAAAAAAAAAAAAAAAAAA' as SessionId, epoch: () => 7 as Epoch },
    {
      services: DEFAULT_RELAY_SERVICES,
      allowPrivate: true,
      counters,
      control: {
        notify: async (notification) => {
          notifications.push(notification);
          return { outcome: 'noted' };
        },
      },
      clock: systemClock,
      random: () => 0,
      transcode: { ffmpeg: 'ffmpeg', settings: DEFAULT_TRANSCODE },
      ...options,
    },
    logger(lines),
  );
  return {
    relays,
    counters,
    notifications,
    logged: () => lines.join('\n'),
    arrive: (targets, query = {}) =>
      relays.publisherArrived({
        grant: {
          streamId: 'demo' as StreamId,
          relays: targets.map((target) => ({ mode: 'copy' as const, ...target })),
        },
        query,
      }),
  };
}

function logger(lines: string[]): Logger {
  const log = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  return { debug: log, info: log, warn: log, error: log, child: () => logger(lines) };
}

/** A TCP listener that does with each connection what it is told, and counts. */
export class OddTarget {
  readonly port: number;
  connections = 0;
  bytes = 0;
  readonly #sockets = new Set<Socket>();
  readonly #close: () => void;

  private constructor(server: ReturnType<typeof createServer>) {
    this.port = (server.address() as AddressInfo).port;
    this.#close = () => server.close();
  }

  static async listen(act: (socket: Socket) => void): Promise<OddTarget> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = new OddTarget(server);
    server.on('connection', (socket) => {
      target.connections += 1;
      target.#sockets.add(socket);
      // What goes wrong on a connection that is there to go wrong is no news.
      socket.on('error', () => undefined);
      act(socket);
      if (!socket.isPaused()) socket.on('data', (data: Buffer) => (target.bytes += data.length));
    });
    return target;
  }

  get url(): string {
    return `rtmp://127.0.0.1:${this.port}/live/key-of-an-odd-target`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#close();
  }
}

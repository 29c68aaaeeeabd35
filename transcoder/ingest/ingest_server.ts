/**
 * The RTMP and RTMPS listeners: lets connections in, reads PROXY protocol, puts TLS on, and starts a guarded connection
 * on each socket.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { ConnectionTable } from './connection_table.ts';
import type { TableEntry } from './connection_table.ts';
import { createIngestCounters } from './ingest_counters.ts';
import type { IngestCounters } from './ingest_counters.ts';
import { DEFAULT_INGEST_LIMITS, DEFAULT_INGEST_TIMINGS } from './ingest_options.ts';
import type { IngestOptions } from './ingest_options.ts';
import { LogBudget } from './log_budget.ts';
import { PassedConnection } from './passed_connection.ts';
import { PROXY_FIRST_BYTE, readPassedOn, writePassedOnHeader } from './passed_on_header.ts';
import { parseProxyHeader, plainAddress } from './proxy_protocol.ts';
import { RtmpConnection } from './rtmp_connection.ts';
import type { ConnectionContext } from './rtmp_connection.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

/** TCP ports that are listened on. */
export interface IngestPorts {
  readonly rtmp: number;
  readonly rtmps?: number;
}

export interface IngestServer {
  /** Rejects with the error of the socket, such as EADDRINUSE; nothing listens then. */
  listen(): Promise<IngestPorts>;
  /** Stops listening, tells every peer, and resolves when all connections are gone (at most `lingerMs` later). */
  close(): Promise<void>;
  /** Open connections, live or not. */
  readonly connectionCount: number;
  /** Only read it. */
  readonly counters: IngestCounters;
}

/** One TCP connection from its coming on; the RTMP connection joins it when its address is known. */
class Arrival implements TableEntry {
  readonly socket: Socket;
  readonly openedAtMs: number;
  address: string | undefined;
  connection: RtmpConnection | undefined;
  /** It goes through to a peer, or is being offered to some. */
  passed: PassedConnection | undefined;

  constructor(socket: Socket, openedAtMs: number, address: string | undefined) {
    this.socket = socket;
    this.openedAtMs = openedAtMs;
    this.address = address;
  }

  get pending(): boolean {
    return this.connection?.pending ?? this.passed?.taken !== true;
  }

  get displaceable(): boolean {
    return this.connection?.displaceable ?? this.passed?.taken !== true;
  }

  displace(): void {
    if (this.connection !== undefined) this.connection.displace();
    else if (this.passed === undefined) this.socket.destroy();
    else this.passed.close();
  }

  /** The server stops. */
  shutdown(): void {
    if (this.connection === undefined) this.displace();
    else this.connection.shutdown();
  }
}

class GuardedIngestServer implements IngestServer {
  readonly counters = createIngestCounters();
  readonly #options: IngestOptions;
  readonly #context: ConnectionContext;
  readonly #table: ConnectionTable<Arrival>;
  readonly #plain: Server;
  readonly #secure: Server | undefined;
  readonly #secureContext: SecureContext | undefined;
  readonly #idPrefix = randomBytes(3).toString('hex');
  #connections = 0;
  #ticker: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(options: IngestOptions) {
    const monotonicMs = options.monotonicMs ?? ((): number => performance.now());
    const limits = { ...DEFAULT_INGEST_LIMITS, ...options.limits };
    this.#options = options;
    this.#context = {
      accept: options.accept,
      apps: options.apps ?? ['stream', 'live'],
      limits,
      timings: { ...DEFAULT_INGEST_TIMINGS, ...options.timings },
      counters: this.counters,
      logger: new LogBudget(options.logger, limits.logLinesPerSecond, monotonicMs),
      monotonicMs,
    };
    this.#table = new ConnectionTable(this.#context.limits);
    this.#plain = this.#createListener(undefined);
    if (options.tls !== undefined) {
      const { cert, key } = options.tls;
      this.#secureContext = createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
      this.#secure = this.#createListener(this.#secureContext);
    }
  }

  get connectionCount(): number {
    return this.#table.size;
  }

  async listen(): Promise<IngestPorts> {
    const { port, host, tls } = this.#options;
    const rtmp = await listenOn(this.#plain, port, host);
    let ports: IngestPorts = { rtmp };
    if (this.#secure !== undefined && tls !== undefined) {
      try {
        ports = { rtmp, rtmps: await listenOn(this.#secure, tls.port, host) };
      } catch (error) {
        this.#plain.close();
        throw error;
      }
    }
    this.#ticker = setInterval(() => this.#tick(), this.#context.timings.tickMs);
    return ports;
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    // Not awaited: a listener counts as open as long as a connection that was passed on lives.
    for (const server of [this.#plain, this.#secure]) if (server?.listening === true) server.close();
    for (const arrival of this.#table) arrival.shutdown();
    if (this.#table.size > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    clearInterval(this.#ticker);
  }

  #createListener(secureContext: SecureContext | undefined): Server {
    const server = createServer(
      {
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: this.#context.timings.keepAliveMs,
      },
      (socket) => this.#arrive(socket, secureContext),
    );
    // Out of file descriptors, for example: that connection is lost, the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => {
      // A port that could not be opened is told by `listen`.
      if (!server.listening) return;
      this.counters.socketErrors += 1;
      this.#context.logger.error({ code: error.code ?? error.name }, 'ingest: listener error');
    });
    return server;
  }

  #arrive(socket: Socket, secureContext: SecureContext | undefined): void {
    this.counters.connections += 1;
    const peer = socket.remoteAddress;
    const closing = this.#closed !== undefined;
    if (peer === undefined || closing) {
      this.counters.refused.shutdown += closing ? 1 : 0;
      socket.destroy();
      return;
    }
    const proxied = this.#options.proxyProtocol === true;
    const address = plainAddress(peer);
    const arrival = new Arrival(socket, this.#context.monotonicMs(), proxied ? undefined : address);
    socket.on('error', () => {
      if (arrival.connection === undefined) this.counters.socketErrors += 1;
    });
    const admission = this.#table.admit(arrival);
    if (admission !== 'admitted') {
      this.#refuseArrival(arrival, admission);
      return;
    }
    socket.once('close', () => this.#depart(arrival));
    if (proxied || this.#options.fleet !== undefined) this.#readHead(arrival, address, secureContext);
    else this.#startConnection(arrival, address, secureContext);
  }

  #depart(arrival: Arrival): void {
    this.#table.delete(arrival);
    if (this.#table.size === 0) this.#emptied?.();
  }

  #refuseArrival(arrival: Arrival, reason: 'connections' | 'address' | 'slow-handshake' | 'peer'): void {
    this.counters.refused[reason] += 1;
    arrival.socket.destroy();
  }

  /** Reads a PROXY protocol header if there is one: the load balancer's, or that of a peer which passes on. */
  #readHead(arrival: Arrival, peer: string, secureContext: SecureContext | undefined): void {
    const { socket } = arrival;
    let received = Buffer.alloc(0);
    const done = (length: number): void => {
      socket.off('data', read);
      socket.pause();
      if (length < received.length) socket.unshift(received.subarray(length));
    };
    const read = (data: Buffer): void => {
      received = Buffer.concat([received, data]);
      try {
        if (this.#options.proxyProtocol !== true && received[0] !== PROXY_FIRST_BYTE) {
          done(0);
          this.#place(arrival, peer, secureContext);
          return;
        }
        const header = parseProxyHeader(received);
        if (header === undefined) return;
        done(header.length);
        this.#proxied(arrival, header.sourceAddress ?? peer, received.subarray(0, header.length), secureContext);
      } catch (error) {
        if (!(error instanceof RtmpProtocolError)) throw error;
        this.counters.protocolErrors[error.errorClass] += 1;
        this.#context.logger.warn({ peer, problem: error.message }, 'ingest: bad PROXY protocol, connection destroyed');
        socket.destroy();
      }
    };
    socket.on('data', read);
    socket.resume();
  }

  #proxied(arrival: Arrival, address: string, header: Buffer, secureContext: SecureContext | undefined): void {
    const { fleet, proxyProtocol } = this.#options;
    const passedOn = fleet === undefined ? undefined : readPassedOn(header, fleet.secret);
    if (passedOn === undefined && proxyProtocol !== true) {
      throw new RtmpProtocolError('proxy', 'a PROXY protocol header that no peer wrote');
    }
    arrival.address = address;
    if (!this.#table.admitAddress(arrival)) {
      this.#refuseArrival(arrival, 'address');
      return;
    }
    if (passedOn === undefined || fleet === undefined) {
      this.#place(arrival, address, secureContext);
      return;
    }
    // Never passed on again: what a peer knows of us may be some seconds old.
    const context = passedOn.secure ? this.#secureContext : undefined;
    if (!fleet.takesMore() || (passedOn.secure && context === undefined)) {
      this.#refuseArrival(arrival, 'peer');
      return;
    }
    this.counters.fromPeers += 1;
    this.#startConnection(arrival, address, context);
  }

  /** Here, or on a peer. */
  #place(arrival: Arrival, address: string, secureContext: SecureContext | undefined): void {
    const { fleet } = this.#options;
    const peers = fleet?.passOnTo(address) ?? [];
    if (fleet === undefined || peers.length === 0) {
      this.#startConnection(arrival, address, secureContext);
      return;
    }
    const { logger, monotonicMs } = this.#context;
    arrival.passed = new PassedConnection({
      socket: arrival.socket,
      peers,
      header: writePassedOnHeader({ address, secure: secureContext !== undefined }, fleet.secret),
      monotonicMs,
      onTaken: (peer) => {
        this.counters.passedOn += 1;
        logger.info({ clientAddress: address, peer }, 'ingest: passed on to a peer');
      },
      onDeclined: (peer) => {
        this.counters.passOnDeclined += 1;
        logger.info({ clientAddress: address, peer }, 'ingest: a peer did not take a connection');
      },
      onReturned: () => {
        arrival.passed = undefined;
        this.#startConnection(arrival, address, secureContext);
      },
    });
  }

  #startConnection(arrival: Arrival, clientAddress: string, secureContext: SecureContext | undefined): void {
    this.#connections += 1;
    const connection = new RtmpConnection({
      socket: secureContext === undefined ? arrival.socket : this.#secureSocket(arrival.socket, secureContext),
      connectionId: `${this.#idPrefix}-${this.#connections}`,
      clientAddress,
      openedAtMs: arrival.openedAtMs,
      context: this.#context,
    });
    arrival.connection = connection;
    connection.start();
  }

  #secureSocket(socket: Socket, secureContext: SecureContext): TLSSocket {
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    secure.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('ERR_SSL') === true) this.counters.protocolErrors.tls += 1;
    });
    return secure;
  }

  #tick(): void {
    const nowMs = this.#context.monotonicMs();
    for (const arrival of this.#table) {
      if (arrival.connection !== undefined) arrival.connection.tick(nowMs);
      else if (arrival.passed !== undefined) arrival.passed.tick(nowMs);
      else if (nowMs - arrival.openedAtMs >= this.#context.timings.handshakeMs) {
        this.#refuseArrival(arrival, 'slow-handshake');
      }
    }
  }
}

function listenOn(server: Server, port: number, host: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** @throws when the certificate or its key cannot be used */
export function createIngestServer(options: IngestOptions): IngestServer {
  return new GuardedIngestServer(options);
}

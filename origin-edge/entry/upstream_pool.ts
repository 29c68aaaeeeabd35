/**
 * Kept-alive connections to media servers by their addresses; the one that was used last is used next, so that the
 * others grow old and go.
 */
import type { UpstreamReply } from '../../contracts/edge_dependencies.ts';
import { StaleConnection, UpstreamSocket } from './upstream_socket.ts';

/** Well before the media server's own 75 s, ms. */
const IDLE_MS = 30_000;
const MAX_IDLE = 64;

interface Idle {
  readonly socket: UpstreamSocket;
  readonly sinceMs: number;
}

export class UpstreamPool {
  readonly #open = new Set<UpstreamSocket>();
  readonly #idle = new Map<string, Idle[]>();
  readonly #monotonicMs: () => number;
  #sweep: NodeJS.Timeout | undefined;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** @throws UnannouncedLength, or what went wrong with the connection */
  async get(
    url: URL,
    headers: string,
    limits: { readonly timeoutMs: number; readonly maxBytes: number },
  ): Promise<UpstreamReply> {
    const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${headers}\r\n`;
    const kept = this.#idle.get(url.host)?.pop()?.socket;
    if (kept === undefined) return this.#connect(url).get(request, limits);
    try {
      return await kept.get(request, limits);
    } catch (error) {
      if (error instanceof StaleConnection) return this.#connect(url).get(request, limits);
      throw error;
    }
  }

  get size(): number {
    return this.#open.size;
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const socket of this.#open) socket.close();
  }

  #connect(url: URL): UpstreamSocket {
    const socket = new UpstreamSocket(
      url,
      (freed) => this.#keep(url.host, freed),
      (closed) => this.#forget(url.host, closed),
    );
    this.#open.add(socket);
    return socket;
  }

  #keep(host: string, socket: UpstreamSocket): void {
    const idle = this.#idle.get(host) ?? [];
    this.#idle.set(host, idle);
    idle.push({ socket, sinceMs: this.#monotonicMs() });
    if (idle.length > MAX_IDLE) idle.shift()?.socket.close();
    this.#sweep ??= setInterval(() => this.#closeOld(), IDLE_MS / 3).unref();
  }

  #forget(host: string, socket: UpstreamSocket): void {
    this.#open.delete(socket);
    const left = (this.#idle.get(host) ?? []).filter((idle) => idle.socket !== socket);
    if (left.length === 0) this.#idle.delete(host);
    else this.#idle.set(host, left);
  }

  #closeOld(): void {
    const before = this.#monotonicMs() - IDLE_MS;
    for (const idle of this.#idle.values()) {
      for (const { socket, sinceMs } of idle) if (sinceMs < before) socket.close();
    }
  }
}

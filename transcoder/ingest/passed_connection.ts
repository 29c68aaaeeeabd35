/**
 * A connection that is passed on to a peer: offered to one after the other until one answers, then its bytes go through
 * as they are. What a peer does not take comes back unharmed.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface PassedConnectionOptions {
  /** Paused, with nothing read of it that is not in its buffer again. */
  readonly socket: Socket;
  /** `host:port`, best first. */
  readonly peers: readonly string[];
  /** Written before the publisher's bytes. */
  readonly header: Buffer;
  /** A peer has answered. */
  readonly onTaken: (peer: string) => void;
  /** A peer could not be reached, or closed without a word. */
  readonly onDeclined: (peer: string) => void;
  /** Nobody took it: the socket is as it was, paused. */
  readonly onReturned: () => void;
  readonly monotonicMs: () => number;
}

/** A peer that is there answers a handshake at once; ms. */
const ANSWER_MS = 1500;
/** Before any answer a publisher sends its half of the handshake, 1,537 bytes, or a TLS ClientHello. */
const MOST_HELD_BYTES = 64 * 1024;
/** A peer pings every 5 s, but for the time that it waits for an authorisation (30 s at most). */
const SILENCE_MS = 40_000;

export class PassedConnection {
  readonly #options: PassedConnectionOptions;
  /** What the publisher has sent while nobody had answered. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #peer: Socket | undefined;
  #heardAtMs: number;
  #taken = false;
  #over = false;

  constructor(options: PassedConnectionOptions) {
    this.#options = options;
    this.#heardAtMs = options.monotonicMs();
    const { socket } = options;
    socket.allowHalfOpen = true;
    socket.on('data', this.#hold);
    socket.once('close', this.#publisherGone);
    this.#offer(0);
  }

  /** A peer has answered. */
  get taken(): boolean {
    return this.#taken;
  }

  /** Looks at the clock: a peer whose machine is gone says nothing, not even that it is gone. */
  tick(nowMs: number): void {
    if (this.#taken && nowMs - this.#heardAtMs >= SILENCE_MS) this.close();
  }

  /** Cuts it. */
  close(): void {
    this.#over = true;
    this.#peer?.destroy();
    this.#options.socket.destroy();
  }

  #offer(index: number): void {
    const { peers, header, socket } = this.#options;
    const name = peers[index];
    if (name === undefined) {
      this.#giveBack();
      return;
    }
    const at = name.lastIndexOf(':');
    const host = name.slice(0, at).replaceAll(/[[\]]/g, '');
    const peer = connect({ host, port: Number(name.slice(at + 1)), allowHalfOpen: true, noDelay: true });
    this.#peer = peer;
    const timer = setTimeout(() => peer.destroy(), ANSWER_MS);
    const decline = (): void => {
      clearTimeout(timer);
      if (this.#peer !== peer || this.#over) return;
      peer.destroy();
      this.#peer = undefined;
      this.#options.onDeclined(name);
      this.#offer(index + 1);
    };
    // What went wrong shows as `close`.
    peer.on('error', () => undefined);
    peer.once('close', decline);
    peer.once('end', decline);
    peer.once('data', (data: Buffer) => {
      clearTimeout(timer);
      peer.off('close', decline);
      peer.off('end', decline);
      this.#take(name, peer, data);
    });
    peer.write(Buffer.concat([header, ...this.#held]));
    socket.resume();
  }

  readonly #hold = (data: Buffer): void => {
    this.#held.push(data);
    this.#heldBytes += data.length;
    this.#peer?.write(data);
    if (this.#heldBytes > MOST_HELD_BYTES) this.#options.socket.pause();
  };

  readonly #publisherGone = (): void => {
    if (this.#taken) return;
    this.#over = true;
    this.#peer?.destroy();
  };

  #take(name: string, peer: Socket, first: Buffer): void {
    const { socket, onTaken, monotonicMs } = this.#options;
    this.#taken = true;
    this.#held = [];
    socket.off('data', this.#hold);
    this.#heardAtMs = monotonicMs();
    peer.on('data', () => {
      this.#heardAtMs = monotonicMs();
    });
    socket.write(first);
    // Bounded: a side that does not read stops the other one. The end of one direction is the end of that one alone.
    socket.pipe(peer);
    peer.pipe(socket);
    socket.once('close', () => peer.destroy());
    peer.once('close', () => socket.destroy());
    onTaken(name);
  }

  #giveBack(): void {
    const { socket, onReturned } = this.#options;
    this.#over = true;
    socket.pause();
    socket.off('data', this.#hold);
    socket.off('close', this.#publisherGone);
    socket.allowHalfOpen = false;
    if (this.#held.length > 0) socket.unshift(Buffer.concat(this.#held));
    onReturned();
  }
}

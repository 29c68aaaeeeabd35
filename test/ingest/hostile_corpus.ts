/** The whole corpus of hostile inputs, and how one of them is played against a server. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AMF_CASES } from './hostile_amf.ts';
import { AUTHORISED_CASES } from './hostile_authorised.ts';
import { BOMB_CASES } from './hostile_bombs.ts';
import type { HostileCase, Step } from './hostile_case.ts';
import { CHUNKING_CASES } from './hostile_chunking.ts';
import { HANDSHAKE_CASES } from './hostile_handshake.ts';
import { NAME_CASES } from './hostile_names.ts';
import { PLAYER_CASES } from './hostile_players.ts';
import { UNAUTHORISED_CASES } from './hostile_unauthorised.ts';

export const HOSTILE_CORPUS: readonly HostileCase[] = [
  ...HANDSHAKE_CASES,
  ...CHUNKING_CASES,
  ...AMF_CASES,
  ...NAME_CASES,
  ...UNAUTHORISED_CASES,
  ...AUTHORISED_CASES,
  ...PLAYER_CASES,
  ...BOMB_CASES,
];

/** What a peer saw of one connection. */
export interface Observation {
  /** The server closed it (or we left) within the time. */
  readonly closed: boolean;
  /** All bytes that the server sent, as latin1: status codes are found in it. */
  readonly heard: string;
}

export interface PlayOptions {
  readonly port: number;
  readonly key: string;
  /** How long the server may take to close after the last step. */
  readonly patienceMs: number;
  /** Sent at the end; then the peer closes. */
  readonly finale?: Buffer;
}

const UNTIL_MS = 1000;

/** Plays one case on one connection. */
export async function playCase(hostile: HostileCase, options: PlayOptions): Promise<Observation> {
  const socket = connect({ port: options.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setNoDelay(true);
  let heard = '';
  // Resets are among what is looked for; they show as a close.
  socket.on('error', () => undefined);
  const gone = new Promise<true>((resolve) => socket.once('close', () => resolve(true)));
  // The other side's FIN counts as closed: ours follows.
  socket.once('end', () => socket.destroy());
  if (hostile.deaf === true) socket.pause();
  else socket.on('data', (data: Buffer) => (heard = (heard + data.toString('latin1')).slice(-100_000)));
  const connected = new Promise((resolve) => socket.once('connect', resolve));
  await Promise.race([connected, gone]);
  for (const step of hostile.steps(options.key)) {
    if (socket.destroyed) break;
    await take(socket, step, gone, () => heard);
  }
  if (options.finale !== undefined && !socket.destroyed) socket.end(options.finale);
  const timer = new AbortController();
  const closed = await Promise.race([gone, sleep(options.patienceMs, false, { signal: timer.signal })]);
  timer.abort();
  socket.destroy();
  return { closed, heard };
}

async function take(socket: Socket, step: Step, gone: Promise<unknown>, heard: () => string): Promise<void> {
  if (step === 'fin') socket.end();
  else if (step === 'reset') socket.resetAndDestroy();
  else if (typeof step === 'function') {
    for (const data of step()) {
      if (socket.destroyed) return;
      if (!socket.write(data)) await Promise.race([once(socket, 'drain').catch(() => undefined), gone]);
    }
  } else if (Buffer.isBuffer(step)) socket.write(step);
  else if ('pauseMs' in step) await Promise.race([sleep(step.pauseMs), gone]);
  else {
    const deadline = performance.now() + UNTIL_MS;
    while (!heard().includes(step.until) && performance.now() < deadline && !socket.destroyed) await sleep(5);
  }
}

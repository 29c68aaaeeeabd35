/**
 * Opens the TCP connection to a relay target, and TLS on it, without being led astray: the addresses are judged as the
 * resolver gives them, the one that was connected to once more, and not a byte is written before.
 */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { callbackify } from 'node:util';
import { classifyAddress, isPublicAddress } from '../../contracts/address_policy.ts';
import { RelayFailure } from './relay_error.ts';

/** All addresses of a name. */
export type ResolveName = (hostname: string) => Promise<readonly LookupAddress[]>;

export interface GuardedConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Lets it go to loopback, private and link-local addresses too. */
  readonly allowPrivate: boolean;
  /** Name look-up; the system's unless given. */
  readonly resolve?: ResolveName | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | undefined;
}

export interface GuardedConnectHandlers {
  /** Ready to be written to. */
  connected(socket: Socket): void;
  /** Called at most once; the socket is gone then. */
  failed(failure: RelayFailure): void;
}

/**
 * Asks once for all who want the same name at the same time: the system's look-up holds one of the few threads that the
 * recorder's files need too, for many seconds when the name's servers do not answer.
 */
export function shareLookups(resolveName: ResolveName): ResolveName {
  const asking = new Map<string, ReturnType<ResolveName>>();
  return (hostname) => {
    const underWay = asking.get(hostname);
    if (underWay !== undefined) return underWay;
    const answer = resolveName(hostname).finally(() => asking.delete(hostname));
    asking.set(hostname, answer);
    return answer;
  };
}

const systemResolve = shareLookups((hostname) => lookup(hostname, { all: true }));

/** A connection that is being made, or was. */
export interface PendingConnection {
  /** Ends it, whatever it is doing; nothing is called afterwards. */
  cancel(): void;
}

/** Never throws: what goes wrong is told to `failed`. */
export function guardedConnect(options: GuardedConnectOptions, handlers: GuardedConnectHandlers): PendingConnection {
  const { host, port, secure, allowPrivate } = options;
  let open = true;
  let current: Socket | undefined;
  const fail = (failure: RelayFailure) => {
    if (!open) return;
    open = false;
    current?.destroy();
    handlers.failed(failure);
  };
  const cancel = () => {
    open = false;
    current?.destroy();
  };
  if (!allowPrivate && isIP(host) !== 0 && !isPublicAddress(host)) {
    // Later, as every other failure.
    queueMicrotask(() => fail(refusal(host)));
    return { cancel };
  }
  const tcp = connectTcp({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 10_000,
    autoSelectFamily: true,
    lookup: guardedLookup(options.resolve ?? systemResolve, allowPrivate),
  });
  current = tcp;
  tcp.once('error', (error) => fail(failureOf(error, 'connect')));
  tcp.once('connect', () => {
    const address = tcp.remoteAddress ?? '';
    if (!allowPrivate && !isPublicAddress(address)) {
      fail(refusal(address));
      return;
    }
    if (!secure) {
      tcp.removeAllListeners('error');
      open = false;
      handlers.connected(tcp);
      return;
    }
    const tls = tlsOver(tcp, options);
    current = tls;
    tls.once('error', (error) => fail(failureOf(error, 'tls')));
    tls.once('close', () => fail(new RelayFailure('tls', 'the target closed the connection during the TLS handshake')));
    tls.once('secureConnect', () => {
      tls.removeAllListeners('error').removeAllListeners('close');
      open = false;
      handlers.connected(tls);
    });
  });
  return { cancel };
}

function tlsOver(tcp: Socket, { host, ca }: GuardedConnectOptions): TLSSocket {
  return connectTls({
    socket: tcp,
    // A name for SNI: addresses are not sent (RFC 6066 section 3), but compared with the certificate all the same.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
  });
}

/** Gives the socket the name's addresses, or none of them when one may not be connected to. */
function guardedLookup(resolveName: ResolveName, allowPrivate: boolean): LookupFunction {
  return callbackify(async (hostname: string, _options: LookupOptions): Promise<LookupAddress[]> => {
    const addresses = await resolveName(hostname);
    const bad = allowPrivate ? undefined : addresses.find(({ address }) => !isPublicAddress(address));
    if (bad !== undefined) throw refusal(bad.address);
    return [...addresses];
  });
}

function refusal(address: string): RelayFailure {
  return new RelayFailure('address', `the target's address is not public (${classifyAddress(address)})`);
}

/** What a socket's error may say in a log: its code. */
export function failureOf(error: unknown, stage: 'connect' | 'tls' | 'closed'): RelayFailure {
  if (error instanceof RelayFailure) return error;
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const codes = errors.map((one) => (one instanceof Error && 'code' in one ? String(one.code) : ''));
  const code = codes.find((one) => /^[A-Z][A-Z0-9_]{2,60}$/.test(one)) ?? 'unknown error';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') {
    return new RelayFailure('name', `the target's name cannot be looked up (${code})`, { cause: error });
  }
  const what = {
    connect: 'the target cannot be reached',
    tls: 'TLS with the target failed',
    closed: 'the connection to the target broke',
  }[stage];
  return new RelayFailure(stage, `${what} (${code})`, { cause: error });
}

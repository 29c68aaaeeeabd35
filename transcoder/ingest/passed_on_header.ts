/**
 * The header that a transcoder puts before a connection that it passes on to a peer: PROXY protocol version 2 with the
 * publisher's address, and a field of our own that proves which fleet it comes from and stops it from being passed on
 * again (haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.2 and 2.2.7).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';

export interface PassedOn {
  /** IP address of the publisher. */
  readonly address: string;
  /** What follows is TLS. */
  readonly secure: boolean;
}

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const FIXED_BYTES = 16;
const COMMAND_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const ADDRESS_BYTES: Readonly<Record<number, number>> = { [TCP_OVER_IPV4]: 12, [TCP_OVER_IPV6]: 36 };
/** PP2_TYPE_MIN_CUSTOM: free for what a site agrees on (section 2.2.7). */
const OUR_TYPE = 0xe0;
const TYPE_AND_LENGTH_BYTES = 3;
const VERSION = 1;
const NONCE_BYTES = 16;
const PROOF_BYTES = 16;
/** Version, flags, nonce, proof. */
const OUR_BYTES = 2 + NONCE_BYTES + PROOF_BYTES;

/** The first byte of the header: neither RTMP's version (3) nor a TLS record (22) begins with it. */
export const PROXY_FIRST_BYTE = 0x0d;

/** @param secret that the servers of a fleet share; empty where only loopback is listened on */
export function writePassedOnHeader({ address, secure }: PassedOn, secret: string): Buffer {
  const addresses = isIPv6(address) ? ipv6Pair(address) : ipv4Pair(address);
  const ours = Buffer.concat([
    Buffer.from([OUR_TYPE, 0, OUR_BYTES, VERSION, secure ? 1 : 0]),
    randomBytes(NONCE_BYTES),
    Buffer.alloc(PROOF_BYTES),
  ]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(addresses.length + ours.length);
  const family = isIPv6(address) ? TCP_OVER_IPV6 : TCP_OVER_IPV4;
  const header = Buffer.concat([SIGNATURE, Buffer.from([COMMAND_PROXY, family]), length, addresses, ours]);
  prove(header, secret).copy(header, header.length - PROOF_BYTES);
  return header;
}

/**
 * Whether this header (whole, as `parseProxyHeader` found it) is one of ours.
 * @returns undefined when another proxy wrote it, or somebody who does not know the secret
 */
export function readPassedOn(header: Buffer, secret: string): { readonly secure: boolean } | undefined {
  const start = FIXED_BYTES + (ADDRESS_BYTES[header[13] ?? 0] ?? 0);
  const isOurs =
    header.length === start + TYPE_AND_LENGTH_BYTES + OUR_BYTES &&
    header[start] === OUR_TYPE &&
    header[start + TYPE_AND_LENGTH_BYTES] === VERSION;
  if (!isOurs) return undefined;
  const proof = header.subarray(header.length - PROOF_BYTES);
  return timingSafeEqual(proof, prove(header, secret)) ? { secure: header[start + 4] === 1 } : undefined;
}

function prove(header: Buffer, secret: string): Buffer {
  return createHmac('sha256', secret)
    .update('headwater: passed on\n')
    .update(header.subarray(0, header.length - PROOF_BYTES))
    .digest()
    .subarray(0, PROOF_BYTES);
}

/** Source and destination with their ports; only the source is known. */
function ipv4Pair(address: string): Buffer {
  const pair = Buffer.alloc(12);
  for (const [index, octet] of address.split('.').entries()) pair[index] = Number(octet);
  return pair;
}

function ipv6Pair(address: string): Buffer {
  const pair = Buffer.alloc(36);
  const [head = '', tail] = address.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  for (const [index, group] of groups(head).entries()) pair.writeUInt16BE(group, 2 * index);
  const after = groups(tail ?? '');
  for (const [index, group] of after.entries()) pair.writeUInt16BE(group, 2 * (8 - after.length + index));
  return pair;
}

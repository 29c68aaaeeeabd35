/**
 * Reads a PROXY protocol version 2 header (haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.2), by which a
 * load balancer says where a connection comes from.
 */
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const FIXED_BYTES = 16;
const MAX_BYTES = FIXED_BYTES + 4096;

const COMMAND_LOCAL = 0x20;
const COMMAND_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

export interface ProxyHeader {
  /** Bytes that it takes up. */
  readonly length: number;
  /** Undefined for LOCAL (the proxy's own connection) and for families without an IP address. */
  readonly sourceAddress: string | undefined;
}

/**
 * @returns undefined while the header is not complete
 * @throws RtmpProtocolError of class `proxy` as soon as it cannot become valid
 */
export function parseProxyHeader(data: Buffer): ProxyHeader | undefined {
  const known = Math.min(data.length, SIGNATURE.length);
  if (data.compare(SIGNATURE, 0, known, 0, known) !== 0) {
    throw new RtmpProtocolError('proxy', 'the connection does not begin with a PROXY protocol v2 header');
  }
  if (data.length < FIXED_BYTES) return undefined;
  const command = data[12] ?? 0;
  const family = data[13] ?? 0;
  const length = FIXED_BYTES + data.readUInt16BE(14);
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY) {
    throw new RtmpProtocolError('proxy', `version and command ${command}, wanted 32 or 33`);
  }
  if (length > MAX_BYTES)
    throw new RtmpProtocolError('proxy', `header of ${length} bytes, wanted ${MAX_BYTES} at most`);
  if (data.length < length) return undefined;
  if (command === COMMAND_LOCAL) return { length, sourceAddress: undefined };
  return { length, sourceAddress: readSource(family, data.subarray(FIXED_BYTES, length)) };
}

function readSource(family: number, addresses: Buffer): string | undefined {
  if (family === TCP_OVER_IPV4) {
    if (addresses.length < 12) throw new RtmpProtocolError('proxy', `IPv4 addresses in ${addresses.length} bytes`);
    return [...addresses.subarray(0, 4)].join('.');
  }
  if (family === TCP_OVER_IPV6) {
    if (addresses.length < 36) throw new RtmpProtocolError('proxy', `IPv6 addresses in ${addresses.length} bytes`);
    const groups = Array.from({ length: 8 }, (_, index) => addresses.readUInt16BE(index * 2).toString(16));
    return plainAddress(groups.join(':'));
  }
  return undefined;
}

/** An IPv4 address that came as IPv6 (`::ffff:1.2.3.4`), without the mapping; others compressed as in RFC 5952. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(':')) return address;
  const zone = address.indexOf('%');
  const host = new URL(`http://[${zone < 0 ? address : address.slice(0, zone)}]`).hostname.slice(1, -1);
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (hex?.[1] === undefined || hex[2] === undefined) return host;
  const high = Number.parseInt(hex[1], 16);
  const low = Number.parseInt(hex[2], 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

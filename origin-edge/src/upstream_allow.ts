/**
 * Which addresses of the registry the edge follows: a list of CIDR blocks and host suffixes. A record that points
 * elsewhere (a metadata service, a stranger's host) gets no request and no token.
 */

/** @returns whether the base URL may be fetched from */
export type AddressFilter = (baseUrl: string) => boolean;

/** Loopback, private and unique local addresses (RFC 1918, RFC 4193): what a fleet in one network needs. */
export const DEFAULT_UPSTREAM_ALLOW = '127.0.0.0/8,::1/128,localhost,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7';

interface Block {
  readonly bits: number;
  readonly value: bigint;
  readonly prefix: number;
}

/**
 * @param list CIDRs (`10.0.0.0/8`, `fd00::/8`), single addresses, or host suffixes (`media.example.com` allows itself
 * and every name under it), separated by commas
 * @throws Error naming the entry that is neither
 */
export function parseUpstreamAllow(list: string): AddressFilter {
  const blocks: Block[] = [];
  const suffixes: string[] = [];
  for (const entry of list.split(',')) {
    const text = entry.trim().toLowerCase();
    if (text === '') continue;
    const block = parseBlock(text);
    if (block !== undefined) blocks.push(block);
    else if (/^\.?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(text) && !/^[0-9.]+$/.test(text)) suffixes.push(text);
    else throw new Error(`CIDR blocks or host suffixes, but one entry is ${JSON.stringify(text)}`);
  }
  return (baseUrl) => {
    const url = URL.parse(baseUrl);
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return false;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const address = parseAddress(host);
    if (address !== undefined) return blocks.some((block) => contains(block, address));
    return suffixes.some((suffix) => {
      const bare = suffix.replace(/^\./, '');
      return host === bare || host.endsWith(`.${bare}`);
    });
  };
}

function parseBlock(text: string): Block | undefined {
  const [address = '', length] = text.split('/', 2);
  const parsed = parseAddress(address.replace(/^\[|\]$/g, ''));
  if (parsed === undefined) return undefined;
  const prefix = length === undefined ? parsed.bits : /^[0-9]{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return prefix >= 0 && prefix <= parsed.bits ? { ...parsed, prefix } : undefined;
}

function contains(block: Block, address: { readonly bits: number; readonly value: bigint }): boolean {
  const shift = BigInt(block.bits - block.prefix);
  return block.bits === address.bits && block.value >> shift === address.value >> shift;
}

/** An address as a number. IPv4 inside IPv6 (`::ffff:a.b.c.d`) counts as the IPv4 address that it reaches. */
function parseAddress(text: string): { readonly bits: number; readonly value: bigint } | undefined {
  const v4 = parseV4(text);
  if (v4 !== undefined) return { bits: 32, value: v4 };
  const v6 = parseV6(text);
  if (v6 === undefined) return undefined;
  return v6 >> 32n === 0xffffn ? { bits: 32, value: v6 & 0xffff_ffffn } : { bits: 128, value: v6 };
}

function parseV4(text: string): bigint | undefined {
  const match = /^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0n;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255) return undefined;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  if (!/^[0-9a-f:.]+$/.test(text) || !text.includes(':')) return undefined;
  const tail = /^(.*:)([0-9.]+\.[0-9.]+)$/.exec(text);
  let groups = text;
  if (tail !== null) {
    const v4 = parseV4(tail[2] ?? '');
    if (v4 === undefined) return undefined;
    groups = `${tail[1]}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  }
  const halves = groups.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], rest = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - rest.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...rest];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined;
  return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

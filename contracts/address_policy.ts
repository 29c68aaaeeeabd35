/**
 * Which IP addresses a request that somebody else named (a webhook, a relay target) may be sent to: those that the
 * public Internet routes, and no other. From IANA's special-purpose address registries (RFC 6890), read strictly: what
 * is not a plain address literal is not public.
 */

export type AddressClass =
  | 'public'
  | 'unspecified'
  | 'loopback'
  | 'private'
  | 'shared'
  | 'link-local'
  | 'multicast'
  | 'documentation'
  | 'transition'
  | 'reserved'
  /** Not an IP address in its usual notation; a name, or a form such as `0x7f.1` that some resolvers read as one. */
  | 'invalid';

/** A block of addresses: its first 16-bit groups or octets, and how many bits of them count. */
type Block = readonly [start: readonly number[], bits: number, kind: AddressClass];

const V4_BLOCKS: readonly Block[] = [
  [[0, 0, 0, 0], 32, 'unspecified'],
  [[0], 8, 'reserved'],
  [[10], 8, 'private'],
  [[100, 64], 10, 'shared'],
  [[127], 8, 'loopback'],
  // Azure's host agent: a public number that only the host itself answers.
  [[168, 63, 129, 16], 32, 'link-local'],
  [[169, 254], 16, 'link-local'],
  [[172, 16], 12, 'private'],
  [[192, 0, 0], 24, 'reserved'],
  [[192, 0, 2], 24, 'documentation'],
  [[192, 88, 99], 24, 'transition'],
  [[192, 168], 16, 'private'],
  [[198, 18], 15, 'reserved'],
  [[198, 51, 100], 24, 'documentation'],
  [[203, 0, 113], 24, 'documentation'],
  [[224], 4, 'multicast'],
  [[240], 4, 'reserved'],
];

const V6_BLOCKS: readonly Block[] = [
  [[0, 0, 0, 0, 0, 0, 0, 0], 128, 'unspecified'],
  [[0, 0, 0, 0, 0, 0, 0, 1], 128, 'loopback'],
  // NAT64 for local use (RFC 8215): what is behind it is not known from the address.
  [[0x64, 0xff9b, 1], 48, 'transition'],
  [[0x100], 64, 'reserved'],
  // IETF protocol assignments, Teredo and ORCHID among them.
  [[0x2001, 0], 32, 'transition'],
  [[0x2001, 0], 23, 'reserved'],
  [[0x2001, 0xdb8], 32, 'documentation'],
  [[0x2002], 16, 'transition'],
  [[0x3fff], 20, 'documentation'],
  [[0x2000], 3, 'public'],
  [[0xfc00], 7, 'private'],
  [[0xfe80], 10, 'link-local'],
  // Site-local, deprecated by RFC 3879 and still routed by some.
  [[0xfec0], 10, 'private'],
  [[0xff00], 8, 'multicast'],
];

/** IPv6 prefixes whose last 32 bits are an IPv4 address that the packet ends at. */
const V4_IN_V6: readonly (readonly number[])[] = [
  // IPv4-mapped (RFC 4291 section 2.5.5.2).
  [0, 0, 0, 0, 0, 0xffff],
  // IPv4-translated (RFC 2765).
  [0, 0, 0, 0, 0xffff, 0],
  // IPv4-compatible, deprecated.
  [0, 0, 0, 0, 0, 0],
  // NAT64, well-known prefix (RFC 6052).
  [0x64, 0xff9b, 0, 0, 0, 0],
];

function matches(address: readonly number[], start: readonly number[], bits: number, groupBits: number): boolean {
  for (let index = 0, left = bits; left > 0; index += 1, left -= groupBits) {
    const shift = Math.max(0, groupBits - left);
    if ((address[index] ?? 0) >> shift !== (start[index] ?? 0) >> shift) return false;
  }
  return true;
}

/** Four octets, or undefined: decimal, no leading zeros, nothing left out. */
function parseV4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part))) return undefined;
  const octets = parts.map(Number);
  return octets.every((octet) => octet <= 255) ? octets : undefined;
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    const v4 = index === parts.length - 1 && part.includes('.') ? parseV4(part) : undefined;
    if (v4 !== undefined) {
      groups.push(((v4[0] ?? 0) << 8) | (v4[1] ?? 0), ((v4[2] ?? 0) << 8) | (v4[3] ?? 0));
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

/** Eight groups, or undefined (RFC 4291 section 2.2). A zone id (`%eth0`) makes it no address of the Internet. */
function parseV6(text: string): number[] | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  // An IPv4 tail may only end the whole address.
  if (halves.length === 2 && (halves[0] ?? '').includes('.')) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

function classifyV4(octets: readonly number[]): AddressClass {
  return V4_BLOCKS.find(([start, bits]) => matches(octets, start, bits, 8))?.[2] ?? 'public';
}

function classifyV6(groups: readonly number[]): AddressClass {
  const found = V6_BLOCKS.find(([start, bits]) => matches(groups, start, bits, 16));
  // `::` and `::1` stand before the prefixes that carry an IPv4 address.
  if (found !== undefined) return found[2];
  if (V4_IN_V6.some((prefix) => matches(groups, prefix, 96, 16))) {
    const [high = 0, low = 0] = groups.slice(6);
    return classifyV4([high >> 8, high & 255, low >> 8, low & 255]);
  }
  return 'reserved';
}

/** @param address an IPv4 or IPv6 address without brackets, as a socket or a resolver gives it */
export function classifyAddress(address: string): AddressClass {
  const octets = parseV4(address);
  if (octets !== undefined) return classifyV4(octets);
  const groups = address.includes(':') ? parseV6(address) : undefined;
  return groups === undefined ? 'invalid' : classifyV6(groups);
}

/** True for addresses that the public Internet routes to one host. */
export function isPublicAddress(address: string): boolean {
  return classifyAddress(address) === 'public';
}

/**
 * What Headwater promises to survive: one row per fault, with what must be seen and its bound. The tests of this folder
 * inject each of them; docs/operations.md shows the rows with the last measured values.
 */
export interface FaultRow {
  readonly row: string;
  readonly area: 'media' | 'ingest' | 'authorisation' | 'registry and edge' | 'recording' | 'relays';
  readonly fault: string;
  readonly seen: string;
  /** Absent where the promise is no figure. */
  readonly bound?: string;
}

type Area = FaultRow['area'];
const rows = (area: Area, ...list: readonly (readonly [string, string, string, string?])[]): FaultRow[] =>
  list.map(([row, fault, seen, bound]) =>
    bound === undefined ? { row, area, fault, seen } : { row, area, fault, seen, bound },
  );

export const FAULT_ROWS: readonly FaultRow[] = [
  ...rows(
    'media',
    ['1', 'kill -9 the FFmpeg of a live stream', 'DISCONTINUITY, the same URL plays on', 'stall ≤ 8 s'],
    ['2', 'FFmpeg hangs (SIGSTOP)', 'noticed by missing progress, replaced', '≤ 10 s'],
    ['3', 'FFmpeg dies at every start', 'backoff, then a clean end with a reason', '≤ 30 s'],
    [
      '4',
      'recording target unwritable or disk full',
      'live goes on, a loud event, nothing claimed that is not stored',
      '≤ 10 s',
    ],
    ['5', 'CPU short', 'new streams are refused before running ones drift'],
    ['6', 'hostile metadata or codec header', 'that stream alone fails'],
    ['7', 'source GOP of 60 s', 'renditions still cut every 2 s'],
    ['8', 'timestamps jump (±1 h, back to 0)', 'DISCONTINUITY, PROGRAM-DATE-TIME stays right', 'stall ≤ 8 s'],
    ['9', 'source changes size or codec mid-way', 'a new epoch with a new init', 'stall ≤ 8 s'],
    ['10', 'audio only, or video only', 'plays'],
  ),
  ...rows(
    'ingest',
    [
      '11',
      'kill -9 the transcoder',
      'publisher lands on another one; same URL, rising MSN, same session; no 4xx or 5xx on a media playlist',
      'stall ≤ 15 s',
    ],
    [
      '12',
      "publisher's connection resets, back within 10 s, same server",
      'same session, one VOD',
      'stall ≤ 3 s beyond the absence',
    ],
    ['13', 'the same, on another server', 'as 11', '≤ 12 s'],
    ['14', 'publisher half-open (packets vanish)', 'the new connection is accepted', '≤ 15 s'],
    ['15', 'second publisher while the first is healthy', 'refused before Publish.Start; first unharmed; no event'],
    ['16', 'garbage, truncated, oversized, deeply nested RTMP', 'that socket closes; no other stream notices; no exit'],
    ['17', 'silent connections, slow handshake', 'closed; others connect', '≤ 15 s'],
    ['18', 'memory bombs before and after authorisation', 'RSS bounded', '+64 MB'],
    ['19', 'hostile stream names and queries', 'refused before Publish.Start'],
    ['20', 'slow or lossy uplink', 'health event, no crash, no drift'],
    [
      '21',
      'publisher says goodbye',
      'ingest freed at once; ENDLIST after the goodbye window, VOD final',
      '≤ window + 5 s',
    ],
    [
      '22',
      'SIGTERM to a transcoder with live streams',
      'passes new ones on, hands its streams over within 45 s, then serves and flushes',
      '≤ 110 s',
    ],
    [
      '23',
      'media from a connection that was never authorised, or from a player',
      'dropped; nothing reaches a stream',
      '0 frames',
    ],
  ),
  ...rows(
    'authorisation',
    ['24', 'webhook denies', 'refused, no FFmpeg was started', '≤ 2 s'],
    ['25', 'webhook hangs', 'refused; other publishers unaffected', '≤ 5 s'],
    ['26', 'webhook answers 5xx, bad JSON, a huge body, a redirect', 'bounded, then refused', '≤ 5 s'],
    ['27', 'a function times out or fails', 'retried, idempotent, then the dead-letter queue'],
    [
      '28',
      'webhook to a private or link-local address, by name, redirect or IPv6 form',
      'refused unless the operator allows private targets',
      '0 requests',
    ],
    ['29', 'receiver down for an hour', 'every event arrives later, in order per stream', '0 lost'],
    ['30', 'duplicated or reordered control calls', 'the same final state'],
    ['31', 'playback token missing, expired, for another stream, forged', '401/403, never cached'],
  ),
  ...rows(
    'registry and edge',
    [
      '32',
      'Redis down',
      'live viewers carry on; streams are kept; new ones wait or are refused clearly',
      '0 viewer errors in 60 s',
    ],
    ['33', 'Redis slow (2 s)', 'served from what is known', 'p99 ≤ 500 ms'],
    ['34', 'FLUSHALL', 'heartbeats rebuild everything, nothing is used again, signed stays signed', '≤ 6 s'],
    [
      '34b',
      'the control plane is away for 2 minutes',
      'live viewers and publishers carry on; nobody is ended when it comes back',
      '0 viewer errors',
    ],
    ['35', 'registry points at a dead server', 'last known playlist, media 404/503 with max-age ≤ 1; heals', '≤ 10 s'],
    ['36', 'registry record with an address outside the allowed ranges', 'not followed', '0 requests'],
    ['37', 'origin slow or 5xx', 'last good playlist; errors are not cached', '≤ 6 s'],
    ['38', '1,000 viewers at once on a cold edge', 'one upstream fetch per object', '1'],
    ['39', 'traversal, smuggling, odd Hosts, huge headers, slowloris', '4xx or closed; no internals shown'],
    ['40', 'clients abort mid-body, thousands of HEADs', 'no leak of upstream connections, no crash'],
  ),
  ...rows(
    'recording',
    ['41', 'S3 answers 503 SlowDown, times out, resets', 'live unaffected, recording catches up', 'complete ≤ 5 min'],
    [
      '42',
      'kill -9 the transcoder at a random moment',
      'VOD playable each time, at most one finished segment and the tail missing, gaps marked',
    ],
    ['43', 'finalisation runs twice, at once, late, or not at all', 'the same VOD'],
  ),
  ...rows(
    'relays',
    ['44', 'relay target refuses, hangs, drops', 'retried with backoff; the stream and the other relays unharmed'],
    [
      '45',
      'relay target is a file, a pipe, a private address, an option, two URLs in one',
      'refused',
      '0 bytes written',
    ],
  ),
];

/**
 * How hls.js is set up for live, and why.
 */

/** @typedef {import('hls.js').HlsConfig} HlsConfig */
/** @typedef {import('hls.js').RetryConfig} RetryConfig */

/** Version 2 calls it `ltc`, ms; version 1, which hls.js sends in headers, has no such key. */
const LATENCY = 'headwater-ltc';

/**
 * @param {number} maxNumRetry
 * @param {number} retryDelayMs the first of them; then it doubles
 * @param {number} maxRetryDelayMs
 * @returns {RetryConfig}
 */
function retry(maxNumRetry, retryDelayMs, maxRetryDelayMs) {
  return { maxNumRetry, retryDelayMs, maxRetryDelayMs, backoff: 'exponential' };
}

/**
 * For playlists: while a stream changes servers the edge may not know it for a moment. hls.js itself gives up on any
 * 4xx; here 404 is asked again like 5xx. A refusal (401, 403) is final.
 *
 * @param {RetryConfig} config
 * @returns {RetryConfig}
 */
function andMissing(config) {
  return {
    ...config,
    shouldRetry: (_config, count, _isTimeout, response, otherwise) =>
      otherwise || (response?.code === 404 && count < config.maxNumRetry),
  };
}

/**
 * @param {Pick<import('./hls_playback.js').Source, 'kind' | 'position'>} source
 * @returns {Partial<HlsConfig>}
 */
export function hlsSettings({ kind, position }) {
  return {
    ...(position === undefined ? {} : { startPosition: position }),
    // Parts, blocking reload and PART-HOLD-BACK as the distance from the edge: no liveSync… setting may stand here,
    // for hls.js would follow that instead of the playlist.
    lowLatencyMode: true,
    // What was lost in a stall is caught up again at a pace that nobody hears.
    maxLiveSyncPlaybackRate: 1.08,
    // A stall pushes the target away from the edge, once by half a second, not by a whole one each time.
    liveSyncOnStallIncrease: 0.5,
    // Live has no end: without it the duration grows and some browsers fire timeupdate storms.
    liveDurationInfinity: true,
    // A page that plays for a day keeps half a minute behind the playhead, not all of it.
    backBufferLength: 30,
    maxBufferLength: 20,
    maxMaxBufferLength: 30,
    // The first pick, before anything was measured: the middle of the default ladder.
    abrEwmaDefaultEstimate: 2_000_000,
    // A small frame on somebody's page need not load 1080p.
    capLevelToPlayerSize: true,
    // A part that an interrupted encoder never made (404) must not bar its rendition for the rest of the session.
    errorPenaltyExpireMs: 5000,
    manifestLoadPolicy: {
      default: {
        maxTimeToFirstByteMs: 8000,
        maxLoadTimeMs: 15_000,
        timeoutRetry: retry(2, 0, 0),
        // A recording that is not there does not come.
        errorRetry: kind === 'recording' ? retry(4, 500, 4000) : andMissing(retry(4, 500, 4000)),
      },
    },
    playlistLoadPolicy: {
      default: {
        // A blocking reload is held for up to three target durations (RFC 8216bis section 6.2.5.2).
        maxTimeToFirstByteMs: 20_000,
        maxLoadTimeMs: 30_000,
        timeoutRetry: retry(3, 0, 0),
        errorRetry: andMissing(retry(8, 500, 4000)),
      },
    },
    fragLoadPolicy: {
      default: {
        // A preloaded part is held until it is made.
        maxTimeToFirstByteMs: 10_000,
        maxLoadTimeMs: 30_000,
        timeoutRetry: retry(3, 0, 0),
        errorRetry: retry(6, 300, 3000),
      },
    },
  };
}

/**
 * What the player tells the edge about itself (CTA-5004). In headers, not in the query: a query would give every viewer
 * a URL of their own at caches that were not told to leave it out. This page is of the same origin as the media, so
 * that headers of our own cost no preflight.
 *
 * @param {() => number | undefined} latency s behind live
 * @returns {{ cmcd: NonNullable<HlsConfig['cmcd']>, report: () => void }} `report` notes the latency for the next request
 */
export function viewerReports(latency) {
  /** @type {((data: Record<string, number>) => void) | undefined} */
  let update;
  return {
    cmcd: {
      useHeaders: true,
      includeKeys: ['bl', 'br', 'bs', 'd', 'mtp', 'ot', 'sf', 'sid', 'st', 'su', LATENCY],
      reporterCallback: (reporter) => {
        update = (data) => reporter.updateCustomData(data);
      },
    },
    report: () => {
      const seconds = latency();
      if (seconds !== undefined) update?.({ [LATENCY]: Math.round(seconds * 1000) });
    },
  };
}

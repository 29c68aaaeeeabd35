/**
 * The headers that keep the pages to their own origin: everything they load, play or call is `'self'`.
 */

/** `top`: never inside a frame. `anywhere`: made for frames on any site. */
export type Framing = 'top' | 'anywhere';

const SOURCES = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  // Media Source Extensions hand the video a blob: URL; native HLS plays from the origin itself.
  "media-src 'self' blob:",
  "connect-src 'self'",
  // hls.js runs its transmuxer in a worker that it makes from its own text.
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'self'",
];

/** Content-Security-Policy (CSP level 3) and the headers that go with it; a fresh object each time. */
export function pageHeaders(framing: Framing): Record<string, string> {
  const top = framing === 'top';
  return {
    'Content-Security-Policy': [...SOURCES, `frame-ancestors ${top ? "'none'" : '*'}`].join('; '),
    'X-Content-Type-Options': 'nosniff',
    // A page's address may carry a playback token.
    'Referrer-Policy': 'no-referrer',
    'Permissions-Policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()',
    'Cross-Origin-Resource-Policy': top ? 'same-origin' : 'cross-origin',
    ...(top ? { 'X-Frame-Options': 'DENY', 'Cross-Origin-Opener-Policy': 'same-origin' } : {}),
  };
}

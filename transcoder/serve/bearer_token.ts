/**
 * Compares a Bearer token in a time that tells nothing about it (RFC 6750 section 2.1).
 */
import { createHash, timingSafeEqual } from 'node:crypto';

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Makes a check of Authorization headers against `token`; without a token everybody is let in. */
export function bearerCheck(token: string | undefined): (authorization: string | undefined) => boolean {
  if (token === undefined) return () => true;
  const wanted = hash(token);
  return (authorization) => {
    const given = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(hash(given), wanted);
  };
}

/**
 * Which keys a store takes: plain words between slashes, so that a key is a path in a folder and an object's name alike,
 * and none reaches outside of its prefix.
 */
import { StoreError } from '../contracts/recording_store.ts';
import type { StoreKey } from '../contracts/recording.ts';

/** S3 allows 1024 bytes, a prefix included. */
const LONGEST = 900;
const COMPONENT = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/;

/** @throws StoreError `refused` for a key with an empty part, one that begins with a dot, or other characters */
export function checkKey(key: StoreKey): void {
  if (key.length <= LONGEST && key.split('/').every((component) => COMPONENT.test(component))) return;
  throw new StoreError('refused', `got the key ${shown(key)}, wanted words of letters, digits, _ . - between slashes`);
}

/** The same for what keys begin with: its last part may be unfinished, or empty. @throws StoreError `refused` */
export function checkPrefix(prefix: StoreKey): void {
  const components = prefix.split('/');
  const last = components.pop() ?? '';
  const whole = prefix.length <= LONGEST && components.every((component) => COMPONENT.test(component));
  if (whole && (last === '' || COMPONENT.test(last))) return;
  throw new StoreError('refused', `got the prefix ${shown(prefix)}, wanted the beginning of a key`);
}

function shown(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);
}

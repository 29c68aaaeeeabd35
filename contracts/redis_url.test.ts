import { describe, expect, it } from 'vitest';
import { RedisUrlError, parseRedisUrl } from './redis_url.ts';

const PLAIN = { port: 6379, db: 0, username: undefined, password: undefined, secure: false, cluster: false };

describe('parseRedisUrl', () => {
  it.each([
    ['redis://localhost', { ...PLAIN, host: 'localhost' }],
    ['redis://10.0.0.1:7000/3', { ...PLAIN, host: '10.0.0.1', port: 7000, db: 3 }],
    ['rediss://[fd00::1]:6380/', { ...PLAIN, host: 'fd00::1', port: 6380, secure: true }],
    ['rediss-cluster://me:p%40ss:x@c.example', expect.objectContaining({ username: 'me', password: 'p@ss:x' })],
    ['redis://:secret@h', { ...PLAIN, host: 'h', password: 'secret' }],
    ['redis-cluster://h', { ...PLAIN, host: 'h', cluster: true }],
  ])('reads %s', (text, wanted) => {
    expect(parseRedisUrl(text)).toEqual(wanted);
  });

  it.each(['http://h', 'redis://', 'redis://h:99999', 'redis://h/x', 'redis://a b@c@d', 'redis://u:%zz@h', 'h:6379'])(
    'refuses %s without repeating it',
    (text) => {
      expect(() => parseRedisUrl(text)).toThrow(RedisUrlError);
      expect(() => parseRedisUrl(text)).toThrow(/^(?!.*%zz)REDIS_URL: wanted/);
    },
  );
});

import { describe, expect, it } from 'vitest';
import { SettingError } from '../../contracts/settings.ts';
import { readEdgeSettings } from './edge_settings.ts';

const LOCAL = { HW_RESOLVE_URL: 'http://127.0.0.1:9000/resolve' };

describe('readEdgeSettings', () => {
  it('takes PORT before HW_EDGE_PORT', () => {
    expect(readEdgeSettings({ ...LOCAL, HW_EDGE_PORT: '81' }).port).toBe(81);
    expect(readEdgeSettings({ ...LOCAL, HW_EDGE_PORT: '81', PORT: '0' }).port).toBe(0);
  });

  it.each([
    [{}, 'HW_RESOLVE_URL: not set'],
    [{ HW_RESOLVE_URL: 'https://resolve.example.com' }, 'HW_RESOLVE_TOKEN: not set'],
    [{ ...LOCAL, HW_BIND: '0.0.0.0' }, 'HW_MEDIA_TOKEN: not set'],
    [{ ...LOCAL, HW_UPSTREAM_ALLOW: '10.0.0.0/99' }, 'HW_UPSTREAM_ALLOW: wanted CIDR blocks or host suffixes'],
    [{ ...LOCAL, HW_UPSTREAM_BASE: 'both' }, 'HW_UPSTREAM_BASE'],
    [{ ...LOCAL, HW_RESOLVE_TOKN: 'x' }, 'HW_RESOLVE_TOKN: there is no such setting'],
    [{ ...LOCAL, PORT: '70000' }, 'PORT'],
    [{ REDIS_URL: 'memcached://hunter2@host' }, 'REDIS_URL: wanted redis://'],
  ])('refuses %j in one line', (env, message) => {
    const read = (): unknown => readEdgeSettings(env);
    expect(read).toThrow(SettingError);
    expect(read).toThrow(message);
  });

  it('looks in Redis where it can hold a connection, else over HTTP', () => {
    const env = { ...LOCAL, REDIS_URL: 'redis://127.0.0.1' };
    expect(readEdgeSettings({ REDIS_URL: 'redis://127.0.0.1' }).registry).toEqual({
      kind: 'redis',
      url: 'redis://127.0.0.1',
    });
    expect(readEdgeSettings(env).registry.kind).toBe('redis');
    expect(readEdgeSettings(env, false).registry).toEqual({
      kind: 'http',
      url: LOCAL.HW_RESOLVE_URL,
      token: undefined,
    });
    expect(() => readEdgeSettings({ REDIS_URL: 'redis://127.0.0.1' }, false)).toThrow('HW_RESOLVE_URL: not set');
  });

  it('never repeats a secret', () => {
    const env = { ...LOCAL, HW_MEDIA_TOKEN: 'very-secret', HW_BIND: '0.0.0.0', HW_UPSTREAM_ALLOW: '%' };
    expect(() => readEdgeSettings(env)).toThrow(/^(?!.*very-secret)/);
  });
});

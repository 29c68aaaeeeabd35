import { describe, expect, it } from 'vitest';
import { actionOfKey } from './keyboard.js';

describe('actionOfKey', () => {
  it.each([
    ['k', 'nothing', 'play'],
    [' ', 'player', 'play'],
    ['M', 'button', 'mute'],
    ['f', 'slider', 'full'],
    ['l', 'nothing', 'live'],
    ['s', 'nothing', 'start'],
    ['ArrowLeft', 'player', 'back'],
    ['ArrowRight', 'button', 'forward'],
    ['ArrowLeft', 'slider', undefined],
    [' ', 'button', undefined],
    ['k', 'elsewhere', undefined],
    ['m', 'menu', undefined],
    ['Meta', 'nothing', undefined],
    ['toString', 'nothing', undefined],
  ] as const)('%s with the focus on %s: %s', (key, focus, action) => {
    expect(actionOfKey({ key, modified: false, focus })).toBe(action);
    expect(actionOfKey({ key, modified: true, focus })).toBeUndefined();
  });
});

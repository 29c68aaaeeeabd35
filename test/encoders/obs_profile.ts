/**
 * A home folder in which OBS Studio starts streaming by itself: its own defaults (x264 veryfast, 2500 kb/s, key frames
 * on auto), a colour as the scene unless told otherwise, and our server as the custom service.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface ObsTarget {
  readonly server: string;
  readonly streamKey: string;
}

/** How OBS is started with such a home. */
export const OBS_ARGUMENTS = [
  '--startstreaming',
  '--profile',
  'headwater',
  '--collection',
  'headwater',
  '--multi',
] as const;

function ini(sections: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>): string {
  return Object.entries(sections)
    .map(
      ([name, values]) =>
        `[${name}]\n${Object.entries(values)
          .map(([key, value]) => `${key}=${value}\n`)
          .join('')}`,
    )
    .join('\n');
}

/** What fills the scene. */
export interface ObsSource {
  readonly id: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

const GREEN: ObsSource = { id: 'color_source_v3', settings: { color: 4_278_242_560, width: 640, height: 360 } };

export async function makeObsHome(home: string, target: ObsTarget, source: ObsSource = GREEN): Promise<void> {
  const root = join(home, '.config/obs-studio');
  const profile = join(root, 'basic/profiles/headwater');
  const scenes = join(root, 'basic/scenes');
  await Promise.all([mkdir(profile, { recursive: true }), mkdir(scenes, { recursive: true })]);
  const item = { name: 'Source', id: 1, visible: true, pos: { x: 0, y: 0 }, scale: { x: 1, y: 1 }, bounds_type: 0 };
  await Promise.all([
    writeFile(
      join(root, 'global.ini'),
      ini({
        General: { FirstRun: true, InfoIncrement: 999, EnableAutoUpdates: false },
        Basic: {
          Profile: 'headwater',
          ProfileDir: 'headwater',
          SceneCollection: 'headwater',
          SceneCollectionFile: 'headwater',
        },
        BasicWindow: { SysTrayEnabled: false, WarnBeforeStoppingStream: false },
      }),
    ),
    writeFile(
      join(profile, 'basic.ini'),
      ini({
        General: { Name: 'headwater' },
        Video: { BaseCX: 1280, BaseCY: 720, OutputCX: 1280, OutputCY: 720, FPSCommon: 30 },
        Output: { Mode: 'Simple' },
        SimpleOutput: { VBitrate: 2500, StreamEncoder: 'x264', ABitrate: 160, Preset: 'veryfast', UseAdvanced: false },
        Audio: { SampleRate: 48_000 },
      }),
    ),
    writeFile(
      join(profile, 'service.json'),
      JSON.stringify({
        type: 'rtmp_custom',
        settings: { server: target.server, key: target.streamKey, use_auth: false },
      }),
    ),
    writeFile(
      join(scenes, 'headwater.json'),
      JSON.stringify({
        name: 'headwater',
        current_scene: 'Scene',
        current_program_scene: 'Scene',
        scene_order: [{ name: 'Scene' }],
        sources: [
          { id: 'scene', name: 'Scene', settings: { id_counter: 1, custom_size: false, items: [item] } },
          { id: source.id, versioned_id: source.id, name: 'Source', settings: source.settings },
        ],
      }),
    ),
  ]);
}

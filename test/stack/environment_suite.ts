/**
 * Every variable that a program reads is set by the stack or has a default that is meant, and every one that the stack
 * sets is read.
 */
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { parseRecordingLocation } from '../../contracts/recording_location.ts';
import type { SettingDefinition } from '../../contracts/settings.ts';
import { codeOf, programsOf } from './programs.ts';
import type { Stacks } from './reachability_suite.ts';

/** Variables that the stack leaves to their default, or to whom else gives them. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'edge REDIS_URL': 'what the world can reach asks the look-up function, which can only read',
  AWS_DEFAULT_REGION: 'AWS_REGION says it',
  AWS_ACCESS_KEY_ID: 'credentials are those of the role',
  AWS_SECRET_ACCESS_KEY: 'credentials are those of the role',
  AWS_SESSION_TOKEN: 'credentials are those of the role',
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: 'ECS sets it',
  AWS_CONTAINER_CREDENTIALS_FULL_URI: 'ECS does not set it',
  AWS_CONTAINER_AUTHORIZATION_TOKEN: 'ECS does not set it',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'no traces without a collector',
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'no traces without a collector',
  OTEL_EXPORTER_OTLP_HEADERS: 'no traces without a collector',
  OTEL_SERVICE_NAME: 'no traces without a collector',
  AWS_REGION: 'Lambda sets it',
  AWS_ENDPOINT_URL_S3: "Amazon's own S3",
  ECS_CONTAINER_METADATA_URI_V4: 'ECS sets it',
  ECS_AGENT_URI: 'ECS sets it',
  HW_DATA_DIR: 'of the one-machine run; recordings wait in HW_RECORDING_SPILL_DIR',
  HW_STREAM_KEYS: 'keys come from the secret',
  HW_WEBHOOK_ALLOW_PRIVATE: 'webhooks go to public addresses',
  HW_RELAY_ALLOW_PRIVATE: 'relays go to public addresses',
  HW_RELAY_SERVICES: 'the services that are known',
  HW_RELAY_TRANSCODE: 'the default',
  HW_TLS_CERT: 'the load balancer ends TLS',
  HW_TLS_KEY: 'the load balancer ends TLS',
  HW_RTMPS_PORT: 'the load balancer ends TLS',
  HW_RTMP_PORT: 'the default is what the security groups open',
  HW_MEDIA_PORT: 'the default is what the security groups open',
  HW_METRICS_PORT: 'the default; no security group opens it',
  PORT: 'HW_MEDIA_PORT and HW_EDGE_PORT say it',
  HW_SERVER_ID: "the task's id",
  HW_ADVERTISE_URL: "the task's address",
  HW_ADVERTISE_PUBLIC_URL: 'edges are in the same network',
  HW_UPSTREAM_BASE: 'edges are in the same network',
  HW_FFMPEG: 'the one of the image',
  HW_LADDER: 'the default ladder',
  HW_ENCODER: 'the default settings',
  HW_RECORDING_MEMORY_MB: 'the default',
  HW_RECORD_KEEP_DAYS: 'the publish webhook says it, or nobody',
};

export function environmentSuite(stacks: () => Stacks): void {
  describe('the environment', () => {
    it('has what each program reads, or a default that is meant, and nothing that it does not read', async () => {
      const { everything } = stacks();
      const wrong: Record<string, unknown> = {};
      const used = new Set<string>();
      for (const { name, entry, environment } of programsOf(everything)) {
        const { reads } = await codeOf(entry);
        const unset = [...reads].filter((variable) => !(variable in environment));
        const missing = unset.filter((variable) => {
          const reason = [variable, `${name} ${variable}`].find((key) => key in LEFT_OUT);
          if (reason !== undefined) used.add(reason);
          return reason === undefined;
        });
        // The AWS client reads its own.
        const unread = Object.keys(environment).filter((variable) => !reads.has(variable) && variable !== 'AWS_REGION');
        if (missing.length + unread.length > 0) wrong[name] = { missing, unread };
      }
      expect(wrong).toEqual({});
      expect(Object.keys(LEFT_OUT).filter((variable) => !used.has(variable))).toEqual([]);
    });

    it('has values that the settings take', () => {
      const bySetting = new Map<string, SettingDefinition<unknown>>();
      for (const definition of Object.values(SETTINGS)) bySetting.set(definition.name, definition);
      let parsed = 0;
      for (const stack of [stacks().first, stacks().full, stacks().everything]) {
        for (const { environment } of programsOf(stack)) {
          for (const [variable, value] of Object.entries(environment)) {
            // References become text that only AWS knows.
            const setting = bySetting.get(variable);
            if (typeof value !== 'string' || value === '' || setting === undefined) continue;
            expect(() => setting.parse(value)).not.toThrow();
            parsed += 1;
          }
        }
      }
      expect(parsed).toBeGreaterThan(50);
    });

    it('keeps recordings in the bucket that the roles open', () => {
      const { full } = stacks();
      for (const { environment } of programsOf(full)) {
        const value = environment['HW_RECORDING_STORE'];
        if (value === undefined) continue;
        expect(value).toEqual({ 'Fn::Sub': 's3://${RecordingBucket}/recordings' });
        expect(parseRecordingLocation('s3://bucket-of-aws/recordings')).toMatchObject({
          kind: 's3',
          prefix: 'recordings/',
        });
      }
    });

    it('gives all programs that name the same setting the same value', () => {
      const values = new Map<string, Set<string>>();
      for (const { environment } of programsOf(stacks().everything)) {
        for (const [variable, value] of Object.entries(environment)) {
          const text = JSON.stringify(value).replaceAll(/\{\{resolve:secretsmanager:\$\{(\w+)\}\}\}/g, '$1');
          const plain = text.replaceAll(/[{}":]|Ref|Fn::Sub/g, '');
          values.set(variable, (values.get(variable) ?? new Set()).add(plain));
        }
      }
      expect([...values].filter(([, different]) => different.size > 1)).toEqual([]);
    });
  });
}

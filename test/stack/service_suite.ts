/**
 * How the services behave: health, deployments, scaling, queues, cache rules.
 */
import { describe, expect, it } from 'vitest';
import { CACHE_POLICY } from '../../contracts/cache_policy.ts';
import { HEALTH_NEWS_MS, MAX_ATTEMPTS, pauseAfter } from '../../functions/events/event_delivery.ts';
import { heartbeatMetrics } from '../../functions/heartbeat_metrics.ts';
import type { Stacks } from './reachability_suite.ts';
import { referred, resourceOf, resourcesOf } from './template.ts';
import type { DecidedStack, Resource } from './template.ts';

function attributesOf(resource: Resource, name: string): Readonly<Record<string, string>> {
  const list = resource.Properties[name] as readonly { readonly Key: string; readonly Value: string }[];
  return Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));
}

const services = (stack: DecidedStack) => resourcesOf(stack, 'AWS::ECS::Service');

export function serviceSuite(stacks: () => Stacks): void {
  describe('the services', () => {
    it('start with no task before there is an image, and keep their own count afterwards', () => {
      for (const [, { Properties }] of services(stacks().first)) expect(Properties['DesiredCount']).toBe(0);
      for (const [, { Properties }] of services(stacks().full)) expect(Properties).not.toHaveProperty('DesiredCount');
      const least = (stack: DecidedStack) =>
        resourcesOf(stack, 'AWS::ApplicationAutoScaling::ScalableTarget').map(([name, { Properties }]) => [
          name,
          Properties['MinCapacity'],
          (Properties['ScheduledActions'] as readonly { readonly ScalableTargetAction: object }[])[0]
            ?.ScalableTargetAction,
        ]);
      expect(least(stacks().first)).toEqual([
        ['TranscoderScaling', 0, { MinCapacity: 0, MaxCapacity: '2' }],
        ['EdgeScaling', 0, { MinCapacity: 0, MaxCapacity: '2' }],
      ]);
      expect(least(stacks().full)).toEqual([
        ['TranscoderScaling', 1, { MinCapacity: 1, MaxCapacity: '20' }],
        ['EdgeScaling', 2, { MinCapacity: 2, MaxCapacity: '10' }],
      ]);
    });

    it('are replaced by new tasks before old ones go, and go back by themselves when those fail', () => {
      for (const [, { Properties }] of services(stacks().full)) {
        expect(Properties['LaunchType']).toBe('FARGATE');
        expect(Properties['DeploymentConfiguration']).toEqual({
          MinimumHealthyPercent: 100,
          MaximumPercent: 200,
          DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        });
      }
    });

    it('run on ARM64, or on x86 when told to, with two minutes to hand over', () => {
      const task = resourceOf(stacks().full, 'TranscoderTask').Properties;
      expect(task['RuntimePlatform']).toEqual({ CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' });
      const [container] = task['ContainerDefinitions'] as readonly [Readonly<Record<string, unknown>>];
      expect(container['StopTimeout']).toBe(120);
      expect(container['ReadonlyRootFilesystem']).toBe(true);
    });

    it('are healthy while they are alive, full or not', () => {
      for (const [, { Properties }] of resourcesOf(stacks().full, 'AWS::ElasticLoadBalancingV2::TargetGroup')) {
        expect(Properties['HealthCheckPath']).toBe('/livez');
      }
      for (const [, { Properties }] of resourcesOf(stacks().full, 'AWS::ECS::TaskDefinition')) {
        const [{ HealthCheck }] = Properties['ContainerDefinitions'] as readonly [{ readonly HealthCheck: unknown }];
        expect(JSON.stringify(HealthCheck)).toContain('/livez');
        expect(JSON.stringify(HealthCheck)).not.toContain('/readyz');
      }
      expect(attributesOf(resourceOf(stacks().full, 'TranscoderTargets'), 'TargetGroupAttributes')).toEqual({
        'proxy_protocol_v2.enabled': 'true',
        'preserve_client_ip.enabled': 'false',
        'target_health_state.unhealthy.connection_termination.enabled': 'false',
        'deregistration_delay.connection_termination.enabled': 'false',
        'deregistration_delay.timeout_seconds': '10',
      });
    });

    it('take publishers on 1935, and on 443 with TLS, at the same port', () => {
      const listeners = resourcesOf(stacks().everything, 'AWS::ElasticLoadBalancingV2::Listener')
        .filter(([, { Properties }]) => referred(Properties['LoadBalancerArn']) === 'IngestBalancer')
        .map(([, { Properties }]) => [
          Properties['Protocol'],
          Properties['Port'],
          referred(
            (Properties['DefaultActions'] as readonly { readonly TargetGroupArn: unknown }[])[0]?.TargetGroupArn,
          ),
        ]);
      expect(listeners).toEqual([
        ['TCP', 1935, 'TranscoderTargets'],
        ['TLS', 443, 'TranscoderTargets'],
      ]);
    });

    it('scale by the metric that heartbeats write, under the dimension that the registry is given', () => {
      const { full } = stacks();
      const policy = resourceOf(full, 'TranscoderTracking').Properties['TargetTrackingScalingPolicyConfiguration'];
      const { CustomizedMetricSpecification: metric, TargetValue: target } = policy as {
        readonly CustomizedMetricSpecification: {
          readonly Namespace: string;
          readonly MetricName: string;
          readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
        };
        readonly TargetValue: number;
      };
      const environment = resourceOf(full, 'RegistryLambdaFunction').Properties['Environment'] as {
        readonly Variables: Readonly<Record<string, string>>;
      };
      const fleet = environment.Variables['HW_FUNCTION_PREFIX'] ?? '';
      const capacity = { streams: 4, maxStreams: 8, ready: true, draining: false };
      const written = heartbeatMetrics(fleet, 0, { capacity });
      expect(written).toMatchObject({
        _aws: {
          CloudWatchMetrics: [{ Namespace: metric.Namespace, Dimensions: [metric.Dimensions.map(({ Name }) => Name)] }],
        },
        [metric.MetricName]: 4,
      });
      for (const { Name, Value } of metric.Dimensions) expect(written?.[Name]).toBe(Value);
      const [{ Environment: variables }] = resourceOf(full, 'TranscoderTask').Properties[
        'ContainerDefinitions'
      ] as readonly [{ readonly Environment: readonly { readonly Name: string; readonly Value: string }[] }];
      const most = Number(variables.find(({ Name }) => Name === 'HW_MAX_STREAMS')?.Value);
      expect(target / most).toBeGreaterThan(0.5);
      expect(target / most).toBeLessThan(0.8);
    });
  });

  describe('the functions', () => {
    it('have reserved concurrency and caps where it matters, in accounts that can give them', () => {
      const reserved = (stack: DecidedStack) =>
        Object.fromEntries(
          resourcesOf(stack, 'AWS::Lambda::Function')
            .map(([name, { Properties }]) => [name, Properties['ReservedConcurrentExecutions']] as const)
            .filter(([, count]) => count !== undefined),
        );
      expect(reserved(stacks().first)).toEqual({});
      expect(reserved(stacks().full)).toEqual({
        AuthorizePublishLambdaFunction: 50,
        RegistryLambdaFunction: 50,
        ResolveLambdaFunction: 30,
        DeliverWebhookLambdaFunction: 20,
      });
    });

    it('deliver events in order for two weeks, then leave them to people; health events expire', () => {
      const { full, first } = stacks();
      const queue = resourceOf(full, 'EventQueue').Properties;
      const { Timeout: timeout } = resourceOf(full, 'DeliverWebhookLambdaFunction').Properties as {
        readonly Timeout: number;
      };
      expect(queue).toMatchObject({
        FifoQueue: true,
        MessageRetentionPeriod: 14 * 86_400,
        VisibilityTimeout: 6 * timeout,
      });
      expect(queue['RedrivePolicy']).toEqual({
        deadLetterTargetArn: { 'Fn::GetAtt': ['EventDeadLetterQueue', 'Arn'] },
        maxReceiveCount: MAX_ATTEMPTS,
      });
      let pausesS = 0;
      for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt += 1) pausesS += pauseAfter(attempt);
      expect(pausesS).toBeGreaterThan(86_400);
      expect(resourceOf(full, 'EventDeadLetterQueue').Properties).toMatchObject({
        FifoQueue: true,
        MessageRetentionPeriod: 14 * 86_400,
      });
      expect(resourceOf(full, 'HealthQueue').Properties['MessageRetentionPeriod']).toBe(HEALTH_NEWS_MS / 1000);
      const mappings = (stack: DecidedStack) =>
        resourcesOf(stack, 'AWS::Lambda::EventSourceMapping').map(([, { Properties }]) => [
          referred(Properties['EventSourceArn']),
          Properties['Enabled'],
          Properties['FunctionResponseTypes'],
        ]);
      expect(mappings(full)).toEqual([
        ['EventQueue', true, ['ReportBatchItemFailures']],
        ['HealthQueue', true, ['ReportBatchItemFailures']],
      ]);
      expect(mappings(first).map(([, enabled]) => enabled)).toEqual([false, false]);
    });

    it('reap each minute, and keep what cannot be made final', () => {
      const [[, rule] = []] = resourcesOf(stacks().full, 'AWS::Events::Rule');
      expect(rule?.Properties['ScheduleExpression']).toBe('rate(1 minute)');
      expect(resourceOf(stacks().full, 'FinalizeVodCalls').Properties).toMatchObject({
        MaximumRetryAttempts: 2,
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['FinalizeFailedQueue', 'Arn'] } } },
      });
    });

    it('have alarms for what a person must hear of, silent until there is an image', () => {
      const alarms = resourcesOf(stacks().full, 'AWS::CloudWatch::Alarm').map(([name]) => name);
      expect(alarms).toEqual([
        'EventsDeadAlarm',
        'FinalizeFailedAlarm',
        'NoHeartbeatAlarm',
        'EncoderRestartsAlarm',
        'RegistryErrorsAlarm',
        'ReaperErrorsAlarm',
      ]);
      const acts = (stack: DecidedStack) => resourceOf(stack, 'NoHeartbeatAlarm').Properties['ActionsEnabled'];
      expect([acts(stacks().first), acts(stacks().full)]).toEqual([false, true]);
    });
  });

  describe('CloudFront', () => {
    it('keeps what the edge says and for as long: queries of low latency, clips and tokens apart, errors not at all', () => {
      const { CachePolicyConfig: policy } = resourceOf(stacks().full, 'ViewerCachePolicy').Properties as {
        readonly CachePolicyConfig: {
          readonly MinTTL: number;
          readonly DefaultTTL: number;
          readonly MaxTTL: number;
          readonly ParametersInCacheKeyAndForwardedToOrigin: Readonly<Record<string, unknown>>;
        };
      };
      expect(policy).toMatchObject({ MinTTL: 0, DefaultTTL: 0 });
      const longest = /max-age=(\d+)/.exec(CACHE_POLICY.media.cacheControl(2))?.[1];
      expect(policy.MaxTTL).toBe(Number(longest));
      expect(policy.ParametersInCacheKeyAndForwardedToOrigin).toMatchObject({
        EnableAcceptEncodingGzip: true,
        QueryStringsConfig: {
          QueryStringBehavior: 'whitelist',
          QueryStrings: ['_HLS_msn', '_HLS_part', '_HLS_skip', 'start', 'end', 'token'],
        },
        HeadersConfig: { HeaderBehavior: 'whitelist', Headers: ['Authorization'] },
        CookiesConfig: { CookieBehavior: 'none' },
      });
      const { DistributionConfig: distribution } = resourceOf(stacks().full, 'Distribution').Properties as {
        readonly DistributionConfig: {
          readonly CustomErrorResponses: readonly { readonly ErrorCode: number; readonly ErrorCachingMinTTL: number }[];
          readonly HttpVersion: string;
        };
      };
      expect(distribution.HttpVersion).toBe('http2and3');
      expect(distribution.CustomErrorResponses.map(({ ErrorCachingMinTTL }) => ErrorCachingMinTTL)).toEqual(
        distribution.CustomErrorResponses.map(() => 0),
      );
      expect(distribution.CustomErrorResponses.map(({ ErrorCode }) => ErrorCode)).toEqual(
        expect.arrayContaining([400, 403, 404, 500, 502, 503, 504]),
      );
    });
  });

  it('the bucket forgets what is tagged, by the days of the tag', () => {
    const { LifecycleConfiguration: lifecycle } = resourceOf(stacks().full, 'RecordingBucket').Properties as {
      readonly LifecycleConfiguration: {
        readonly Rules: readonly {
          readonly TagFilters?: readonly { readonly Key: string; readonly Value: string }[];
          readonly ExpirationInDays?: number;
        }[];
      };
    };
    const byTag = lifecycle.Rules.filter(({ TagFilters }) => TagFilters !== undefined);
    expect(byTag.length).toBeGreaterThan(0);
    for (const { TagFilters, ExpirationInDays } of byTag) {
      expect(TagFilters).toEqual([{ Key: 'headwater-keep-days', Value: String(ExpirationInDays) }]);
    }
  });
}

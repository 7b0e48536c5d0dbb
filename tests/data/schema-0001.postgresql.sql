CREATE TABLE public.clockd_attempts (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    number integer NOT NULL,
    state character varying(16) NOT NULL,
    runner character varying(8) NOT NULL,
    app text NOT NULL,
    command text NOT NULL,
    process_type text NOT NULL,
    twin text,
    requested_at bigint NOT NULL,
    time_to_live_s integer NOT NULL,
    host text NOT NULL,
    size text,
    dyno text,
    dyno_id text,
    created_at bigint,
    launched_at bigint,
    finished_at bigint,
    stop_requested_at bigint,
    stop_cause character varying(16),
    exit_status integer,
    outcome character varying(24),
    reason text,
    warning text
);
CREATE SEQUENCE public.clockd_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.clockd_attempts_id_seq OWNED BY public.clockd_attempts.id;
CREATE TABLE public.clockd_config (
    id integer NOT NULL,
    runner character varying(8) NOT NULL,
    loaded_at bigint NOT NULL
);
CREATE TABLE public.clockd_jobs (
    id character varying(36) NOT NULL,
    next_run_time double precision NOT NULL,
    claimed_until bigint NOT NULL
);
CREATE TABLE public.clockd_lease (
    id integer NOT NULL,
    holder text,
    fence bigint NOT NULL,
    beat bigint NOT NULL,
    taken_at bigint,
    beat_at bigint
);
CREATE TABLE public.clockd_output (
    run_id bigint NOT NULL,
    sequence integer NOT NULL,
    attempt integer NOT NULL,
    at bigint NOT NULL,
    source text NOT NULL,
    text text NOT NULL,
    "position" bigint NOT NULL
);
CREATE TABLE public.clockd_runs (
    id bigint NOT NULL,
    trigger_id character varying(36) NOT NULL,
    slug text NOT NULL,
    app text NOT NULL,
    definition text NOT NULL,
    cause character varying(16) NOT NULL,
    state character varying(16) NOT NULL,
    fire_time bigint,
    not_before bigint,
    hold character varying(16),
    released_at bigint,
    attempt integer NOT NULL,
    claimed_at bigint NOT NULL,
    launched_at bigint,
    finished_at bigint,
    lag_s double precision,
    outcome character varying(24),
    exit_status integer,
    reason text,
    last_fire_time bigint,
    fire_count integer NOT NULL,
    requested_by text,
    cancel_requested_at bigint,
    cancel_requested_by text,
    owner text,
    owner_beat bigint
);
CREATE SEQUENCE public.clockd_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.clockd_runs_id_seq OWNED BY public.clockd_runs.id;
CREATE TABLE public.clockd_schema (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.clockd_triggers (
    uuid character varying(36) NOT NULL,
    slug text NOT NULL,
    app text NOT NULL,
    source character varying(8) NOT NULL,
    definition text NOT NULL,
    fingerprint character varying(32) NOT NULL,
    first_seen bigint NOT NULL,
    changed_at bigint NOT NULL,
    removed_at bigint,
    paused_at bigint,
    paused_by text,
    paused_reason text,
    resumed_at bigint
);
ALTER TABLE ONLY public.clockd_attempts ALTER COLUMN id SET DEFAULT nextval('public.clockd_attempts_id_seq'::regclass);
ALTER TABLE ONLY public.clockd_runs ALTER COLUMN id SET DEFAULT nextval('public.clockd_runs_id_seq'::regclass);
INSERT INTO public.clockd_attempts VALUES (1, 2, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/ends-succeeded', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.0', 'dyno-0', 1795521600000000, 1795521600000000, 1795521660000000, NULL, NULL, 0, 'succeeded', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (2, 3, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/ends-failed', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.1', 'dyno-1', 1795521600000000, 1795521600000000, 1795521660000000, NULL, NULL, 2, 'failed', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (3, 4, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/ends-timed-out', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.2', 'dyno-2', 1795521600000000, 1795521600000000, 1795521660000000, NULL, NULL, 143, 'timed_out', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (4, 5, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/ends-cancelled', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.3', 'dyno-3', 1795521600000000, 1795521600000000, 1795521660000000, NULL, NULL, 143, 'cancelled', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (5, 6, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/ends-stopped-by-platform', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.4', 'dyno-4', 1795521600000000, 1795521600000000, 1795521660000000, NULL, NULL, 143, 'stopped_by_platform', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (6, 7, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/ends-launch-failed', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.5', 'dyno-5', 1795521600000000, 1795521600000000, 1795521660000000, NULL, NULL, NULL, 'launch_failed', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (7, 8, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/ends-lost', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.6', 'dyno-6', 1795521600000000, 1795521600000000, 1795521660000000, NULL, NULL, NULL, 'lost', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (8, 9, 1, 'finished', 'heroku', 'sharp-mountain', 'bin/retried', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.7', 'dyno-7', 1795521600000000, 1795521600000000, 1795532400000000, NULL, NULL, 1, 'failed', 'it ended', NULL);
INSERT INTO public.clockd_attempts VALUES (10, 11, 1, 'running', 'heroku', 'sharp-mountain', 'bin/patient', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.8', 'dyno-8', 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_attempts VALUES (11, 14, 1, 'launching', 'heroku', 'sharp-mountain', 'bin/launching', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_attempts VALUES (12, 15, 1, 'unknown', 'heroku', 'sharp-mountain', 'bin/answer-lost', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'no answer', NULL);
INSERT INTO public.clockd_attempts VALUES (13, 16, 1, 'running', 'heroku', 'sharp-mountain', 'bin/running', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.9', 'dyno-9', 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_attempts VALUES (14, 17, 1, 'stopping', 'heroku', 'sharp-mountain', 'bin/stopping', 'clockd', NULL, 1795521600000000, 1860, '', 'basic', 'clockd.10', 'dyno-10', 1795521600000000, 1795521600000000, NULL, 1795521660000000, 'timeout', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_attempts VALUES (15, 23, 1, 'running', 'heroku', 'sharp-mountain', 'bin/hourly', 'clockd', NULL, 1795532400000000, 1860, '', 'basic', 'clockd.11', 'dyno-11', 1795532400000000, 1795532400000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_config VALUES (1, 'heroku', 1795521601000000);
INSERT INTO public.clockd_jobs VALUES ('0a80cf8a-2fb4-583d-99b1-3967c20d4ef9', 1798761600, 1795521600000000);
INSERT INTO public.clockd_jobs VALUES ('da3075c5-20a0-5107-b0cb-105f304174b6', 1795534200, 1795532400000000);
INSERT INTO public.clockd_jobs VALUES ('39ab47f4-ab40-5048-80b9-52726f4c0ef9', 1795536000, 1795532400000000);
INSERT INTO public.clockd_lease VALUES (1, 'web.1:7', 1, 0, 1795521600000000, 1795521600000000);
INSERT INTO public.clockd_output VALUES (3, 1, 1, 1795521601000000, 'app', 'line 1', 7);
INSERT INTO public.clockd_output VALUES (3, 2, 1, 1795521601000000, 'app', 'line 2', 14);
INSERT INTO public.clockd_runs VALUES (1, 'd3401e3c-52cb-5ef0-903d-8d8cd5577d1e', 'past', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/past", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"at": "2026-11-24 11:00:00"}, "slug": "past", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'scheduled', 'finished', 1795518000000000, NULL, NULL, NULL, 0, 1795521600000000, NULL, 1795521600000000, NULL, 'missed', NULL, 'in the past when first seen', NULL, 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (2, 'f1ae6f8f-3ce0-5b2d-b012-abd62ada4652', 'ends-succeeded', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-succeeded", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-succeeded", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'finished', NULL, NULL, NULL, NULL, 1, 1795521600000000, 1795521600000000, 1795521660000000, NULL, 'succeeded', 0, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (3, '2c895db5-c1ac-51da-8d91-0343a9f35f95', 'ends-failed', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-failed", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-failed", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'finished', NULL, NULL, NULL, NULL, 1, 1795521600000000, 1795521600000000, 1795521660000000, NULL, 'failed', 2, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (4, '3fb8252e-e68c-51e1-860d-809acae31f59', 'ends-timed-out', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-timed-out", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-timed-out", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'finished', NULL, NULL, NULL, NULL, 1, 1795521600000000, 1795521600000000, 1795521660000000, NULL, 'timed_out', 143, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (5, '5c923a6e-969f-52fa-9f60-efb25897c702', 'ends-cancelled', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-cancelled", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-cancelled", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'finished', NULL, NULL, NULL, NULL, 1, 1795521600000000, 1795521600000000, 1795521660000000, NULL, 'cancelled', 143, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (6, '3baf55b7-336a-565e-9304-0306e4287a85', 'ends-stopped-by-platform', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-stopped-by-platform", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-stopped-by-platform", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'finished', NULL, NULL, NULL, NULL, 1, 1795521600000000, 1795521600000000, 1795521660000000, NULL, 'stopped_by_platform', 143, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (7, 'e638b804-6210-5373-bd58-c4ee1d446a9d', 'ends-launch-failed', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-launch-failed", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-launch-failed", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'finished', NULL, NULL, NULL, NULL, 1, 1795521600000000, 1795521600000000, 1795521660000000, NULL, 'launch_failed', NULL, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (8, '57a91301-ae71-59c5-8c96-1b73cb09d0c6', 'ends-lost', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-lost", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-lost", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'finished', NULL, NULL, NULL, NULL, 1, 1795521600000000, 1795521600000000, 1795521660000000, NULL, 'lost', NULL, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (9, 'ee7ea07f-be6f-5b40-87b8-a53665a7c5bc', 'retried', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/retried", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 2, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "retried", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'waiting', NULL, 1795532460000000, 'retry', NULL, 1, 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, 'it ended', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (10, 'f654f88c-e69e-5087-a87b-d89e300919a8', 'put-back', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/put-back", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "put-back", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'waiting', NULL, 1795532460000000, 'line', NULL, 0, 1795532400000000, NULL, NULL, NULL, NULL, NULL, 'the app has as many one-off dynos as it may', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (11, '0a80cf8a-2fb4-583d-99b1-3967c20d4ef9', 'patient', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/patient", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "queue", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "patient", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'running', NULL, 1795521600000000, NULL, NULL, 1, 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL, NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (18, 'da3075c5-20a0-5107-b0cb-105f304174b6', 'halted', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'scheduled', 'finished', 1795523400000000, NULL, NULL, NULL, 0, 1795525200000000, NULL, 1795525200000000, NULL, 'skipped', NULL, 'paused', 1795525200000000, 2, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (13, 'b73dc252-4406-5d03-8d28-285f001da2da', 'later', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/later", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "later", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'waiting', NULL, 1795532460000000, NULL, NULL, 0, 1795532460000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (14, 'c40f905e-9411-55b0-8e01-778346042add', 'launching', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/launching", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "launching", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'launching', NULL, 1795521600000000, NULL, NULL, 1, 1795521600000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (15, 'f61ed3f2-8a97-5a01-9461-6e382998c6a8', 'answer-lost', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/answer-lost", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "answer-lost", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'unknown', NULL, 1795521600000000, NULL, NULL, 1, 1795521600000000, NULL, NULL, NULL, NULL, NULL, 'no answer', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (16, '8d7bb36a-30e6-540a-a897-6172cb2a96cb', 'running', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/running", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "running", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'running', NULL, 1795521600000000, NULL, NULL, 1, 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL, NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (17, '87227302-c253-5a59-88c2-e1568416dcd4', 'stopping', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/stopping", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "stopping", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'stopping', NULL, 1795521600000000, NULL, NULL, 1, 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL, NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (19, '39ab47f4-ab40-5048-80b9-52726f4c0ef9', 'hourly', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}', 'scheduled', 'finished', 1795525200000000, 1795525200000000, NULL, NULL, 0, 1795525200000000, NULL, 1795532400000000, NULL, 'skipped', NULL, 'superseded by the fire time 2026-11-24T15:00:00Z', NULL, 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (12, '0a80cf8a-2fb4-583d-99b1-3967c20d4ef9', 'patient', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/patient", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "queue", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "patient", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'manual', 'waiting', NULL, 1795532430000000, 'overlap', NULL, 0, 1795532400000000, NULL, NULL, NULL, NULL, NULL, 'queued behind run 11', NULL, 1, 'ann', NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (20, 'da3075c5-20a0-5107-b0cb-105f304174b6', 'halted', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'scheduled', 'finished', 1795527000000000, NULL, NULL, NULL, 0, 1795528800000000, NULL, 1795528800000000, NULL, 'skipped', NULL, 'paused', 1795528800000000, 2, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (22, 'da3075c5-20a0-5107-b0cb-105f304174b6', 'halted', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'scheduled', 'finished', 1795530600000000, NULL, NULL, NULL, 0, 1795532400000000, NULL, 1795532400000000, NULL, 'skipped', NULL, 'paused', 1795532400000000, 2, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (21, '39ab47f4-ab40-5048-80b9-52726f4c0ef9', 'hourly', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}', 'scheduled', 'finished', 1795528800000000, 1795528800000000, NULL, NULL, 0, 1795528800000000, NULL, 1795532400000000, NULL, 'skipped', NULL, 'superseded by the fire time 2026-11-24T15:00:00Z', NULL, 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_runs VALUES (23, '39ab47f4-ab40-5048-80b9-52726f4c0ef9', 'hourly', 'sharp-mountain', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}', 'scheduled', 'running', 1795532400000000, 1795532400000000, NULL, NULL, 1, 1795532400000000, 1795532400000000, NULL, 0, NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_schema VALUES ('0001');
INSERT INTO public.clockd_triggers VALUES ('39ab47f4-ab40-5048-80b9-52726f4c0ef9', 'hourly', 'sharp-mountain', 'file', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}', '05ab14465e7e043f17fb62965e18aadf', 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_triggers VALUES ('0a80cf8a-2fb4-583d-99b1-3967c20d4ef9', 'patient', 'sharp-mountain', 'file', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/patient", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "queue", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "patient", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'e9fa3e4e13f792096981d62ff8534e86', 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_triggers VALUES ('621564b9-d5c4-50e3-baa3-d9c31b0966ed', 'idle', 'sharp-mountain', 'file', '{"active": false, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/idle", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "* * * * *"}, "slug": "idle", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'df618f348d840222822549d5558cef2e', 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_triggers VALUES ('d3401e3c-52cb-5ef0-903d-8d8cd5577d1e', 'past', 'sharp-mountain', 'file', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/past", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"at": "2026-11-24 11:00:00"}, "slug": "past", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'cf039ac76e072c25ec9d9125f109b89a', 1795521600000000, 1795521600000000, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_triggers VALUES ('e779657c-1ab7-5af4-94c4-da8ef0854b70', 'gone', 'sharp-mountain', 'file', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/gone", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "gone", "source": "file", "timeout": 1800, "timezone": "UTC"}', '62606735cc481d233e9fdf45e18ffbef', 1795521600000000, 1795521600000000, 1795521601000000, NULL, NULL, NULL, NULL);
INSERT INTO public.clockd_triggers VALUES ('da3075c5-20a0-5107-b0cb-105f304174b6', 'halted', 'sharp-mountain', 'file', '{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}', 'ec58aae399d442b02f4f1c0c213ad750', 1795521600000000, 1795521600000000, NULL, 1795521600000000, 'ann', 'holidays', NULL);
SELECT pg_catalog.setval('public.clockd_attempts_id_seq', 15, true);
SELECT pg_catalog.setval('public.clockd_runs_id_seq', 23, true);
ALTER TABLE ONLY public.clockd_attempts
    ADD CONSTRAINT clockd_attempts_one_per_number UNIQUE (run_id, number);
ALTER TABLE ONLY public.clockd_attempts
    ADD CONSTRAINT clockd_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clockd_config
    ADD CONSTRAINT clockd_config_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clockd_jobs
    ADD CONSTRAINT clockd_jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clockd_lease
    ADD CONSTRAINT clockd_lease_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clockd_output
    ADD CONSTRAINT clockd_output_pkey PRIMARY KEY (run_id, sequence);
ALTER TABLE ONLY public.clockd_runs
    ADD CONSTRAINT clockd_runs_one_per_fire_time UNIQUE (trigger_id, fire_time);
ALTER TABLE ONLY public.clockd_runs
    ADD CONSTRAINT clockd_runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clockd_schema
    ADD CONSTRAINT clockd_schema_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.clockd_triggers
    ADD CONSTRAINT clockd_triggers_pkey PRIMARY KEY (uuid);
CREATE INDEX clockd_attempts_by_end ON public.clockd_attempts USING btree (app, finished_at);
CREATE UNIQUE INDEX clockd_attempts_one_per_dyno ON public.clockd_attempts USING btree (app, dyno_id) WHERE (dyno_id IS NOT NULL);
CREATE INDEX clockd_attempts_open ON public.clockd_attempts USING btree (run_id) WHERE ((state)::text <> 'finished'::text);
CREATE INDEX clockd_jobs_due ON public.clockd_jobs USING btree (next_run_time);
CREATE INDEX clockd_runs_by_slug ON public.clockd_runs USING btree (slug, id);
CREATE INDEX clockd_runs_cancel_wanted ON public.clockd_runs USING btree (id) WHERE (((state)::text <> 'finished'::text) AND (cancel_requested_at IS NOT NULL));
CREATE INDEX clockd_runs_due ON public.clockd_runs USING btree (not_before) WHERE ((state)::text = 'waiting'::text);
CREATE INDEX clockd_runs_in_line ON public.clockd_runs USING btree (COALESCE(fire_time, claimed_at), id) WHERE ((state)::text = 'waiting'::text);
CREATE INDEX clockd_runs_owned ON public.clockd_runs USING btree (id) WHERE (((state)::text <> 'finished'::text) AND (owner IS NOT NULL));
CREATE INDEX clockd_runs_unfinished ON public.clockd_runs USING btree (trigger_id) WHERE ((state)::text <> 'finished'::text);
CREATE INDEX clockd_triggers_by_slug ON public.clockd_triggers USING btree (slug);
ALTER TABLE ONLY public.clockd_attempts
    ADD CONSTRAINT clockd_attempts_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.clockd_runs(id) ON DELETE CASCADE;

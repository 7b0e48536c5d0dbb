BEGIN TRANSACTION;
CREATE TABLE clockd_attempts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	runner VARCHAR(8) NOT NULL, 
	app TEXT NOT NULL, 
	command TEXT NOT NULL, 
	process_type TEXT NOT NULL, 
	twin TEXT, 
	requested_at BIGINT NOT NULL, 
	time_to_live_s INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	size TEXT, 
	dyno TEXT, 
	dyno_id TEXT, 
	created_at BIGINT, 
	launched_at BIGINT, 
	finished_at BIGINT, 
	stop_requested_at BIGINT, 
	stop_cause VARCHAR(16), 
	exit_status INTEGER, 
	outcome VARCHAR(24), 
	reason TEXT, 
	warning TEXT, 
	CONSTRAINT clockd_attempts_one_per_number UNIQUE (run_id, number), 
	FOREIGN KEY(run_id) REFERENCES clockd_runs (id) ON DELETE CASCADE
);
INSERT INTO "clockd_attempts" VALUES(1,2,1,'finished','heroku','sharp-mountain','bin/ends-succeeded','clockd',NULL,1795521600000000,1860,'','basic','clockd.0','dyno-0',1795521600000000,1795521600000000,1795521660000000,NULL,NULL,0,'succeeded','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(2,3,1,'finished','heroku','sharp-mountain','bin/ends-failed','clockd',NULL,1795521600000000,1860,'','basic','clockd.1','dyno-1',1795521600000000,1795521600000000,1795521660000000,NULL,NULL,2,'failed','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(3,4,1,'finished','heroku','sharp-mountain','bin/ends-timed-out','clockd',NULL,1795521600000000,1860,'','basic','clockd.2','dyno-2',1795521600000000,1795521600000000,1795521660000000,NULL,NULL,143,'timed_out','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(4,5,1,'finished','heroku','sharp-mountain','bin/ends-cancelled','clockd',NULL,1795521600000000,1860,'','basic','clockd.3','dyno-3',1795521600000000,1795521600000000,1795521660000000,NULL,NULL,143,'cancelled','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(5,6,1,'finished','heroku','sharp-mountain','bin/ends-stopped-by-platform','clockd',NULL,1795521600000000,1860,'','basic','clockd.4','dyno-4',1795521600000000,1795521600000000,1795521660000000,NULL,NULL,143,'stopped_by_platform','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(6,7,1,'finished','heroku','sharp-mountain','bin/ends-launch-failed','clockd',NULL,1795521600000000,1860,'','basic','clockd.5','dyno-5',1795521600000000,1795521600000000,1795521660000000,NULL,NULL,NULL,'launch_failed','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(7,8,1,'finished','heroku','sharp-mountain','bin/ends-lost','clockd',NULL,1795521600000000,1860,'','basic','clockd.6','dyno-6',1795521600000000,1795521600000000,1795521660000000,NULL,NULL,NULL,'lost','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(8,9,1,'finished','heroku','sharp-mountain','bin/retried','clockd',NULL,1795521600000000,1860,'','basic','clockd.7','dyno-7',1795521600000000,1795521600000000,1795532400000000,NULL,NULL,1,'failed','it ended',NULL);
INSERT INTO "clockd_attempts" VALUES(10,11,1,'running','heroku','sharp-mountain','bin/patient','clockd',NULL,1795521600000000,1860,'','basic','clockd.8','dyno-8',1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_attempts" VALUES(11,14,1,'launching','heroku','sharp-mountain','bin/launching','clockd',NULL,1795521600000000,1860,'','basic',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_attempts" VALUES(12,15,1,'unknown','heroku','sharp-mountain','bin/answer-lost','clockd',NULL,1795521600000000,1860,'','basic',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'no answer',NULL);
INSERT INTO "clockd_attempts" VALUES(13,16,1,'running','heroku','sharp-mountain','bin/running','clockd',NULL,1795521600000000,1860,'','basic','clockd.9','dyno-9',1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_attempts" VALUES(14,17,1,'stopping','heroku','sharp-mountain','bin/stopping','clockd',NULL,1795521600000000,1860,'','basic','clockd.10','dyno-10',1795521600000000,1795521600000000,NULL,1795521660000000,'timeout',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_attempts" VALUES(15,23,1,'running','heroku','sharp-mountain','bin/hourly','clockd',NULL,1795532400000000,1860,'','basic','clockd.11','dyno-11',1795532400000000,1795532400000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE clockd_config (
	id INTEGER NOT NULL, 
	runner VARCHAR(8) NOT NULL, 
	loaded_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "clockd_config" VALUES(1,'heroku',1795521601000000);
CREATE TABLE clockd_jobs (
	id VARCHAR(36) NOT NULL, 
	next_run_time DOUBLE NOT NULL, 
	claimed_until BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "clockd_jobs" VALUES('da3075c5-20a0-5107-b0cb-105f304174b6',1795534200.0,1795532400000000);
INSERT INTO "clockd_jobs" VALUES('39ab47f4-ab40-5048-80b9-52726f4c0ef9',1795536000.0,1795532400000000);
INSERT INTO "clockd_jobs" VALUES('0a80cf8a-2fb4-583d-99b1-3967c20d4ef9',1798761600.0,1795521600000000);
CREATE TABLE clockd_lease (
	id INTEGER NOT NULL, 
	holder TEXT, 
	fence INTEGER NOT NULL, 
	beat INTEGER NOT NULL, 
	taken_at BIGINT, 
	beat_at BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "clockd_lease" VALUES(1,'web.1:7',1,0,1795521600000000,1795521600000000);
CREATE TABLE clockd_output (
	run_id INTEGER NOT NULL, 
	sequence INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	source TEXT NOT NULL, 
	text TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY (run_id, sequence)
);
INSERT INTO "clockd_output" VALUES(3,1,1,1795521601000000,'app','line 1',7);
INSERT INTO "clockd_output" VALUES(3,2,1,1795521601000000,'app','line 2',14);
CREATE TABLE clockd_runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	trigger_id VARCHAR(36) NOT NULL, 
	slug TEXT NOT NULL, 
	app TEXT NOT NULL, 
	definition TEXT NOT NULL, 
	cause VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	fire_time BIGINT, 
	not_before BIGINT, 
	hold VARCHAR(16), 
	released_at BIGINT, 
	attempt INTEGER NOT NULL, 
	claimed_at BIGINT NOT NULL, 
	launched_at BIGINT, 
	finished_at BIGINT, 
	lag_s DOUBLE, 
	outcome VARCHAR(24), 
	exit_status INTEGER, 
	reason TEXT, 
	last_fire_time BIGINT, 
	fire_count INTEGER NOT NULL, 
	requested_by TEXT, 
	cancel_requested_at BIGINT, 
	cancel_requested_by TEXT, 
	owner TEXT, 
	owner_beat INTEGER, 
	CONSTRAINT clockd_runs_one_per_fire_time UNIQUE (trigger_id, fire_time)
);
INSERT INTO "clockd_runs" VALUES(1,'d3401e3c-52cb-5ef0-903d-8d8cd5577d1e','past','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/past", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"at": "2026-11-24 11:00:00"}, "slug": "past", "source": "file", "timeout": 1800, "timezone": "UTC"}','scheduled','finished',1795518000000000,NULL,NULL,NULL,0,1795521600000000,NULL,1795521600000000,NULL,'missed',NULL,'in the past when first seen',NULL,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(2,'f1ae6f8f-3ce0-5b2d-b012-abd62ada4652','ends-succeeded','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-succeeded", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-succeeded", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','finished',NULL,NULL,NULL,NULL,1,1795521600000000,1795521600000000,1795521660000000,NULL,'succeeded',0,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(3,'2c895db5-c1ac-51da-8d91-0343a9f35f95','ends-failed','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-failed", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-failed", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','finished',NULL,NULL,NULL,NULL,1,1795521600000000,1795521600000000,1795521660000000,NULL,'failed',2,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(4,'3fb8252e-e68c-51e1-860d-809acae31f59','ends-timed-out','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-timed-out", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-timed-out", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','finished',NULL,NULL,NULL,NULL,1,1795521600000000,1795521600000000,1795521660000000,NULL,'timed_out',143,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(5,'5c923a6e-969f-52fa-9f60-efb25897c702','ends-cancelled','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-cancelled", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-cancelled", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','finished',NULL,NULL,NULL,NULL,1,1795521600000000,1795521600000000,1795521660000000,NULL,'cancelled',143,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(6,'3baf55b7-336a-565e-9304-0306e4287a85','ends-stopped-by-platform','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-stopped-by-platform", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-stopped-by-platform", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','finished',NULL,NULL,NULL,NULL,1,1795521600000000,1795521600000000,1795521660000000,NULL,'stopped_by_platform',143,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(7,'e638b804-6210-5373-bd58-c4ee1d446a9d','ends-launch-failed','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-launch-failed", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-launch-failed", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','finished',NULL,NULL,NULL,NULL,1,1795521600000000,1795521600000000,1795521660000000,NULL,'launch_failed',NULL,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(8,'57a91301-ae71-59c5-8c96-1b73cb09d0c6','ends-lost','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/ends-lost", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "ends-lost", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','finished',NULL,NULL,NULL,NULL,1,1795521600000000,1795521600000000,1795521660000000,NULL,'lost',NULL,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(9,'ee7ea07f-be6f-5b40-87b8-a53665a7c5bc','retried','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/retried", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 2, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "retried", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','waiting',NULL,1795532460000000,'retry',NULL,1,1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,'it ended',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(10,'f654f88c-e69e-5087-a87b-d89e300919a8','put-back','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/put-back", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "put-back", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','waiting',NULL,1795532460000000,'line',NULL,0,1795532400000000,NULL,NULL,NULL,NULL,NULL,'the app has as many one-off dynos as it may',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(11,'0a80cf8a-2fb4-583d-99b1-3967c20d4ef9','patient','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/patient", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "queue", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "patient", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','running',NULL,1795521600000000,NULL,NULL,1,1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL,NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(12,'0a80cf8a-2fb4-583d-99b1-3967c20d4ef9','patient','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/patient", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "queue", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "patient", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','waiting',NULL,1795532430000000,'overlap',NULL,0,1795532400000000,NULL,NULL,NULL,NULL,NULL,'queued behind run 11',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(13,'b73dc252-4406-5d03-8d28-285f001da2da','later','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/later", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "later", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','waiting',NULL,1795532460000000,NULL,NULL,0,1795532460000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(14,'c40f905e-9411-55b0-8e01-778346042add','launching','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/launching", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "launching", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','launching',NULL,1795521600000000,NULL,NULL,1,1795521600000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(15,'f61ed3f2-8a97-5a01-9461-6e382998c6a8','answer-lost','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/answer-lost", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "answer-lost", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','unknown',NULL,1795521600000000,NULL,NULL,1,1795521600000000,NULL,NULL,NULL,NULL,NULL,'no answer',NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(16,'8d7bb36a-30e6-540a-a897-6172cb2a96cb','running','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/running", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "running", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','running',NULL,1795521600000000,NULL,NULL,1,1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL,NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(17,'87227302-c253-5a59-88c2-e1568416dcd4','stopping','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/stopping", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "stopping", "source": "file", "timeout": 1800, "timezone": "UTC"}','manual','stopping',NULL,1795521600000000,NULL,NULL,1,1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL,NULL,1,'ann',NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(18,'da3075c5-20a0-5107-b0cb-105f304174b6','halted','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}','scheduled','finished',1795523400000000,NULL,NULL,NULL,0,1795525200000000,NULL,1795525200000000,NULL,'skipped',NULL,'paused',1795525200000000,2,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(19,'39ab47f4-ab40-5048-80b9-52726f4c0ef9','hourly','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}','scheduled','finished',1795525200000000,1795525200000000,NULL,NULL,0,1795525200000000,NULL,1795532400000000,NULL,'skipped',NULL,'superseded by the fire time 2026-11-24T15:00:00Z',NULL,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(20,'da3075c5-20a0-5107-b0cb-105f304174b6','halted','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}','scheduled','finished',1795527000000000,NULL,NULL,NULL,0,1795528800000000,NULL,1795528800000000,NULL,'skipped',NULL,'paused',1795528800000000,2,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(21,'39ab47f4-ab40-5048-80b9-52726f4c0ef9','hourly','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}','scheduled','finished',1795528800000000,1795528800000000,NULL,NULL,0,1795528800000000,NULL,1795532400000000,NULL,'skipped',NULL,'superseded by the fire time 2026-11-24T15:00:00Z',NULL,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(22,'da3075c5-20a0-5107-b0cb-105f304174b6','halted','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}','scheduled','finished',1795530600000000,NULL,NULL,NULL,0,1795532400000000,NULL,1795532400000000,NULL,'skipped',NULL,'paused',1795532400000000,2,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_runs" VALUES(23,'39ab47f4-ab40-5048-80b9-52726f4c0ef9','hourly','sharp-mountain','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}','scheduled','running',1795532400000000,1795532400000000,NULL,NULL,1,1795532400000000,1795532400000000,NULL,0.0,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE clockd_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT clockd_schema_pkc PRIMARY KEY (version_num)
);
INSERT INTO "clockd_schema" VALUES('0001');
CREATE TABLE clockd_triggers (
	uuid VARCHAR(36) NOT NULL, 
	slug TEXT NOT NULL, 
	app TEXT NOT NULL, 
	source VARCHAR(8) NOT NULL, 
	definition TEXT NOT NULL, 
	fingerprint VARCHAR(32) NOT NULL, 
	first_seen BIGINT NOT NULL, 
	changed_at BIGINT NOT NULL, 
	removed_at BIGINT, 
	paused_at BIGINT, 
	paused_by TEXT, 
	paused_reason TEXT, 
	resumed_at BIGINT, 
	PRIMARY KEY (uuid)
);
INSERT INTO "clockd_triggers" VALUES('da3075c5-20a0-5107-b0cb-105f304174b6','halted','sharp-mountain','file','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/halted", "dyno": null, "env": {"NAME": "Zoë ''x''"}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "*/30 * * * *"}, "slug": "halted", "source": "file", "timeout": 1800, "timezone": "UTC"}','ec58aae399d442b02f4f1c0c213ad750',1795521600000000,1795521600000000,NULL,1795521600000000,'ann','holidays',NULL);
INSERT INTO "clockd_triggers" VALUES('39ab47f4-ab40-5048-80b9-52726f4c0ef9','hourly','sharp-mountain','file','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/hourly", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 * * * *"}, "slug": "hourly", "source": "file", "timeout": 1800, "timezone": "Europe/Amsterdam"}','05ab14465e7e043f17fb62965e18aadf',1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_triggers" VALUES('0a80cf8a-2fb4-583d-99b1-3967c20d4ef9','patient','sharp-mountain','file','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/patient", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "queue", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "patient", "source": "file", "timeout": 1800, "timezone": "UTC"}','e9fa3e4e13f792096981d62ff8534e86',1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_triggers" VALUES('621564b9-d5c4-50e3-baa3-d9c31b0966ed','idle','sharp-mountain','file','{"active": false, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/idle", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "* * * * *"}, "slug": "idle", "source": "file", "timeout": 1800, "timezone": "UTC"}','df618f348d840222822549d5558cef2e',1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_triggers" VALUES('d3401e3c-52cb-5ef0-903d-8d8cd5577d1e','past','sharp-mountain','file','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/past", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"at": "2026-11-24 11:00:00"}, "slug": "past", "source": "file", "timeout": 1800, "timezone": "UTC"}','cf039ac76e072c25ec9d9125f109b89a',1795521600000000,1795521600000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "clockd_triggers" VALUES('e779657c-1ab7-5af4-94c4-da8ef0854b70','gone','sharp-mountain','file','{"active": true, "app": "sharp-mountain", "catch_up": {"run_all": false, "within": 3600}, "command": "bin/gone", "dyno": null, "env": {}, "jitter": 0, "name": "", "output": "keep", "overlap": "skip", "retries": 0, "retry_delay": 60, "schedule": {"cron": "0 0 1 1 *"}, "slug": "gone", "source": "file", "timeout": 1800, "timezone": "UTC"}','62606735cc481d233e9fdf45e18ffbef',1795521600000000,1795521600000000,1795521601000000,NULL,NULL,NULL,NULL);
CREATE INDEX clockd_triggers_by_slug ON clockd_triggers (slug);
CREATE INDEX clockd_jobs_due ON clockd_jobs (next_run_time);
CREATE INDEX clockd_runs_in_line ON clockd_runs (coalesce(fire_time, claimed_at), id) WHERE state = 'waiting';
CREATE INDEX clockd_runs_due ON clockd_runs (not_before) WHERE state = 'waiting';
CREATE INDEX clockd_runs_unfinished ON clockd_runs (trigger_id) WHERE state != 'finished';
CREATE INDEX clockd_runs_cancel_wanted ON clockd_runs (id) WHERE state != 'finished' AND cancel_requested_at IS NOT NULL;
CREATE INDEX clockd_runs_owned ON clockd_runs (id) WHERE state != 'finished' AND owner IS NOT NULL;
CREATE INDEX clockd_runs_by_slug ON clockd_runs (slug, id);
CREATE INDEX clockd_attempts_open ON clockd_attempts (run_id) WHERE state != 'finished';
CREATE INDEX clockd_attempts_by_end ON clockd_attempts (app, finished_at);
CREATE UNIQUE INDEX clockd_attempts_one_per_dyno ON clockd_attempts (app, dyno_id) WHERE dyno_id IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('clockd_runs',23);
INSERT INTO "sqlite_sequence" VALUES('clockd_attempts',15);
COMMIT;

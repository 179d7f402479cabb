"""CloudWatch Logs, by boto3 and the AWS command line: what real clients put, find, follow and are refused."""

import contextlib
import gzip
import hashlib
import http.client
import json
import pathlib
import queue
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

from waiting import until

# Debian's, which is of version 2: the first has no `logs tail`.
DEBIAN_AWS = pathlib.Path("/usr/bin/aws")
HOUR = 3600 * 1000
DAY = 24 * HOUR
ACCOUNT = "123456789012"


def now():
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
def logs(cloud):
    # A host prefix would lead to `stream-127.0.0.1`.
    return cloud.client("logs", inject_host_prefix=False)


@pytest.fixture
def group(logs, request):
    """A group of the test's own with the stream `i-1`."""
    name = "/test/" + request.node.name.replace("[", "/").replace("]", "").replace(" ", "-")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="i-1")
    yield name
    with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=name)


def put(logs, group, messages, stream="i-1", start=None, step=1):
    """Puts messages that lie `step` milliseconds apart; gives the answer."""
    start = now() - len(messages) * step if start is None else start
    events = [{"timestamp": start + number * step, "message": text} for number, text in enumerate(messages)]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def arn(group):
    return f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"


def texts(answer):
    return [event["message"] for event in answer["events"]]


def refused(call, code, message, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**parameters)
    assert refusal.value.response["Error"]["Code"] == code
    assert message in refusal.value.response["Error"]["Message"]


# Groups and streams.


def test_groups_have_awss_names_arns_and_refusals(logs, group):
    [found] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert (found["arn"], found["logGroupArn"]) == (arn(group) + ":*", arn(group))
    assert abs(found["creationTime"] - now()) < 60_000
    assert (found["logGroupClass"], found["metricFilterCount"], found["storedBytes"]) == ("STANDARD", 0, 0)
    assert "retentionInDays" not in found
    already = "ResourceAlreadyExistsException"
    refused(logs.create_log_group, already, "The specified log group already exists", logGroupName=group)
    stream = {"logGroupName": group, "logStreamName": "i-1"}
    refused(logs.create_log_stream, already, "The specified log stream already exists", **stream)
    pattern = r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
    refused(logs.create_log_group, "InvalidParameterException", pattern, logGroupName="a b")
    reserved = "reserved for AWS"
    refused(logs.create_log_group, "InvalidParameterException", reserved, logGroupName="aws/mine")
    refused(logs.create_log_stream, "InvalidParameterException", "[^:*]*", logGroupName=group, logStreamName="a:b")
    missing = "The specified log group does not exist."
    refused(logs.describe_log_streams, "ResourceNotFoundException", missing, logGroupName="/none")


def test_groups_come_in_pages_by_prefix_and_pattern(logs, group):
    names = [f"{group}/{number:02}" for number in range(60)]
    for name in names:
        logs.create_log_group(logGroupName=name)
    paginator = logs.get_paginator("describe_log_groups")
    pages = list(paginator.paginate(logGroupNamePrefix=group + "/"))
    assert [len(page["logGroups"]) for page in pages] == [50, 10]
    assert [one["logGroupName"] for page in pages for one in page["logGroups"]] == names
    by_part = logs.describe_log_groups(logGroupNamePattern="pattern/07")["logGroups"]
    assert [one["logGroupName"] for one in by_part] == [names[7]]
    for name in names:
        logs.delete_log_group(logGroupName=name)


def test_streams_are_described_by_name_and_by_time(logs, group):
    for number in range(55):
        logs.create_log_stream(logGroupName=group, logStreamName=f"s-{number:02}")
    put(logs, group, ["x"], stream="s-30", start=now() - 1000)
    put(logs, group, ["x", "y"], stream="s-20", start=now() - 500)
    paginator = logs.get_paginator("describe_log_streams")
    names = [
        stream["logStreamName"]
        for page in paginator.paginate(logGroupName=group, logStreamNamePrefix="s-", descending=True)
        for stream in page["logStreams"]
    ]
    assert names == [f"s-{number:02}" for number in reversed(range(55))]
    latest = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=2)
    first = latest["logStreams"][0]
    assert [one["logStreamName"] for one in latest["logStreams"]] == ["s-20", "s-30"]
    assert first["lastEventTimestamp"] - first["firstEventTimestamp"] == 1
    assert first["arn"] == f"{arn(group)}:log-stream:s-20"
    logs.delete_log_stream(logGroupName=group, logStreamName="s-20")
    assert texts(logs.filter_log_events(logGroupName=group)) == ["x"]


def test_groups_are_tagged_both_ways(logs, group):
    logs.tag_resource(resourceArn=arn(group), tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName=group, tags={"c": "3"})
    logs.untag_resource(resourceArn=arn(group), tagKeys=["a"])
    logs.untag_log_group(logGroupName=group, tags=["b"])
    assert logs.list_tags_for_resource(resourceArn=arn(group))["tags"] == {"c": "3"}
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"c": "3"}


@pytest.mark.parametrize(
    ("operation", "parameters", "named"),
    [
        ("create_log_group", {"kmsKeyId": "arn:aws:kms:us-east-1:1:key/1"}, "kmsKeyId"),
        ("create_log_group", {"logGroupClass": "INFREQUENT_ACCESS"}, "INFREQUENT_ACCESS"),
        ("create_log_group", {"logGroupClass": "DELIVERY"}, "DELIVERY"),
    ],
)
def test_what_is_not_here_is_refused_by_name(logs, operation, parameters, named):
    refused(getattr(logs, operation), "InvalidParameterException", named, logGroupName="/refused", **parameters)


def test_operations_that_are_not_here_say_so(logs, group):
    for operation, parameters in [
        ("put_metric_filter", {"filterName": "f", "filterPattern": "", "metricTransformations": []}),
        ("put_subscription_filter", {"filterName": "f", "filterPattern": "", "destinationArn": "arn:aws:x"}),
        ("associate_kms_key", {"kmsKeyId": "k"}),
        ("create_export_task", {"fromTime": 0, "to": 1, "destination": "d"}),
    ]:
        if operation == "put_metric_filter":
            parameters["metricTransformations"] = [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]
        refused(getattr(logs, operation), "NotImplemented", "", logGroupName=group, **parameters)


# Putting.


def test_batches_are_checked_as_aws_does(cloud, group):
    # The client would refuse some of it itself.
    logs = cloud.client("logs", parameter_validation=False)
    invalid = "InvalidParameterException"
    target = {"logGroupName": group, "logStreamName": "i-1"}
    event = lambda offset, message="x": {"timestamp": now() + offset, "message": message}  # noqa: E731
    start = now()
    at = lambda offset: {"timestamp": start + offset, "message": "x"}  # noqa: E731
    put_events = logs.put_log_events
    refused(put_events, invalid, "chronological order", logEvents=[at(0), at(-1)], **target)
    refused(put_events, invalid, "24 hours", logEvents=[at(-DAY - 1), at(0)], **target)
    refused(put_events, invalid, "less than or equal to 10000", logEvents=[at(0)] * 10_001, **target)
    refused(put_events, invalid, "greater than or equal to 1", logEvents=[], **target)
    refused(put_events, invalid, "logEvents.1.member.message", logEvents=[event(0, "")], **target)
    fits = 1_048_576 - 26
    too_large = "Upload too large: 1048577 bytes exceeds limit of 1048576"
    refused(put_events, invalid, too_large, logEvents=[event(0, "x" * (fits + 1))], **target)
    assert "rejectedLogEventsInfo" not in put_events(logEvents=[event(0, "x" * fits)], **target)
    # Every character that JSON writes with six.
    assert "rejectedLogEventsInfo" not in put_events(logEvents=[event(0, "\x01" * fits)], **target)
    answer = put_events(logEvents=[at(0)] * 10_000, sequenceToken="whatever", **target)
    assert answer["nextSequenceToken"]
    nowhere = "The specified log stream does not exist."
    target["logStreamName"] = "i-9"
    refused(put_events, "ResourceNotFoundException", nowhere, logEvents=[at(0)], **target)


def test_late_and_early_events_are_rejected_and_the_others_kept(logs, group):
    logs.put_retention_policy(logGroupName=group, retentionInDays=3)
    start = now()
    offsets = [-15 * DAY, -4 * DAY, -HOUR, 0, 3 * HOUR]
    events = [{"timestamp": start + offset, "message": str(offset)} for offset in offsets]
    answer = logs.put_log_events(logGroupName=group, logStreamName="i-1", logEvents=events)
    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 4,
    }
    assert texts(logs.get_log_events(logGroupName=group, logStreamName="i-1")) == [str(-HOUR), "0"]


def test_a_compressed_body_is_understood(cloud, logs, group):
    """Amazon's older agent compresses its bodies; what is signed is what is sent."""
    event = {"timestamp": now(), "message": "packed"}
    body = json.dumps({"logGroupName": group, "logStreamName": "i-1", "logEvents": [event]}).encode()

    def send(data, encoding):
        credentials = botocore.session.Session()
        credentials.set_credentials(cloud.environment["AWS_ACCESS_KEY_ID"], cloud.environment["AWS_SECRET_ACCESS_KEY"])
        request = botocore.awsrequest.AWSRequest(
            "POST",
            cloud.environment["AWS_ENDPOINT_URL"] + "/",
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "Logs_20140328.PutLogEvents",
                "Content-Encoding": encoding,
            },
            data,
        )
        botocore.auth.SigV4Auth(credentials.get_credentials(), "logs", "us-east-1").add_auth(request)
        prepared = request.prepare()
        opened = urllib.request.Request(prepared.url, data, dict(prepared.headers), method="POST")
        try:
            with urllib.request.urlopen(opened) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert send(gzip.compress(body), "gzip")[0] == 200
    assert texts(logs.filter_log_events(logGroupName=group)) == ["packed"]
    for data, encoding, words in [
        (body, "gzip", "not gzip"),
        (gzip.compress(body)[:-5], "gzip", "not gzip"),
        (gzip.compress(b" " * 100_000_000), "gzip", "larger than"),
        (body, "br", "br is not supported"),
    ]:
        status, told = send(data, encoding)
        assert status == 400 and words in told, told


# Getting and filtering.


def test_a_stream_is_paged_in_both_directions(logs, group):
    messages = [str(number) for number in range(2500)]
    put(logs, group, messages)
    base = {"logGroupIdentifier": arn(group), "logStreamName": "i-1"}
    forward, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(**base, startFromHead=True, limit=1000, **more)
        if page["nextForwardToken"] == token:
            assert page["events"] == []
            break
        forward += texts(page)
        token = page["nextForwardToken"]
    assert forward == messages
    backward, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(**base, limit=700, **more)
        if page["nextBackwardToken"] == token:
            break
        backward = texts(page) + backward
        token = page["nextBackwardToken"]
    assert backward == messages
    refused(logs.get_log_events, "InvalidParameterException", "nextToken", nextToken="f/nonsense/s", **base)
    both = "mutually exclusive"
    refused(logs.get_log_events, "InvalidParameterException", both, logGroupName=group, **base)


def test_filters_go_over_streams_by_time_and_pattern(logs, group):
    start = now() - 10_000
    for stream in ("i-2", "task/1"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    put(logs, group, ["GET /a 200", "GET /b 500"], start=start, step=2)
    put(logs, group, ['{"level": "ERROR", "ms": 12}', '{"level": "INFO", "ms": 70}'], "i-2", start + 1, 2)
    put(logs, group, ["POST /a ERROR"], "task/1", start + 4)

    def found(**parameters):
        paginator = logs.get_paginator("filter_log_events")
        pages = paginator.paginate(logGroupName=group, PaginationConfig={"PageSize": 2}, **parameters)
        return [event for page in pages for event in page["events"]]

    everything = found()
    assert [event["timestamp"] - start for event in everything] == [0, 1, 2, 3, 4]
    assert len({event["eventId"] for event in everything}) == 5
    for parameters, expected in [
        ({"filterPattern": "GET"}, [0, 2]),
        ({"filterPattern": "?POST ?200"}, [0, 4]),
        ({"filterPattern": "ERROR -POST"}, [1]),
        ({"filterPattern": '{ $.level = "INFO" && $.ms > 50 }'}, [3]),
        ({"filterPattern": "[method, path, status = 5*]"}, [2]),
        ({"filterPattern": '{ $.level = "*" }', "logStreamNamePrefix": "i-"}, [1, 3]),
        ({"logStreamNames": ["i-1", "task/1"]}, [0, 2, 4]),
        ({"startTime": start + 1, "endTime": start + 3}, [1, 2, 3]),
        ({"filterPattern": "nothing"}, []),
    ]:
        assert [event["timestamp"] - start for event in found(**parameters)] == expected, parameters
    refused(
        logs.filter_log_events,
        "InvalidParameterException",
        "Invalid filter pattern",
        logGroupName=group,
        filterPattern="{ $.level = ",
    )


def test_a_page_of_a_filter_holds_a_megabyte(logs, group):
    for number in range(3):
        put(logs, group, [str(number) * 700_000])
    paginator = logs.get_paginator("filter_log_events")
    pages = [page["events"] for page in paginator.paginate(logGroupName=group)]
    assert [len(page) for page in pages] == [1, 1, 1]


# The AWS command line.


def aws2(cloud, *arguments):
    done = subprocess.run(
        [DEBIAN_AWS, "--endpoint-url", cloud.environment["AWS_ENDPOINT_URL"], *arguments],
        env=cloud.environment | {"AWS_PAGER": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_aws_logs_tail_shows_and_follows(cloud, logs, group):
    put(logs, group, ["first", "second ERROR", "third"])
    assert [line.split(" ", 2)[1:] for line in aws2(cloud, "logs", "tail", group).splitlines()] == [
        ["i-1", "first"],
        ["i-1", "second ERROR"],
        ["i-1", "third"],
    ]
    filtered = aws2(cloud, "logs", "tail", group, "--filter-pattern", "ERROR", "--format", "short")
    assert filtered.strip().endswith("second ERROR") and len(filtered.splitlines()) == 1

    command = [DEBIAN_AWS, "--endpoint-url", cloud.environment["AWS_ENDPOINT_URL"]]
    command += ["logs", "tail", group, "--follow", "--format", "short"]
    environment = cloud.environment | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as following:
        try:
            lines = queue.Queue()
            threading.Thread(target=lambda: [lines.put(line) for line in following.stdout], daemon=True).start()
            shown = [lines.get(timeout=30) for _ in range(3)]
            assert "first" in shown[0]
            put(logs, group, ["fourth"], start=now())
            assert "fourth" in lines.get(timeout=30)
        finally:
            following.terminate()


def test_the_older_command_line_works_too(cloud, logs, group):
    put(logs, group, ["by the first"])
    answer = cloud.aws_json("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", "i-1")
    assert texts(answer) == ["by the first"]


# Live tail.


class Tail:
    """A live tail that is read by a thread of its own."""

    def __init__(self, logs, **parameters):
        self.stream = logs.start_live_tail(**parameters)["responseStream"]
        self.frames = queue.Queue()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for frame in self.stream:
                self.frames.put((time.monotonic(), frame))
        except Exception as error:
            self.frames.put((time.monotonic(), error))

    def update(self):
        """The next update with something in it, and when it came."""
        while True:
            at, frame = self.frames.get(timeout=15)
            assert isinstance(frame, dict), frame
            if frame.get("sessionUpdate", {}).get("sessionResults"):
                return at, frame["sessionUpdate"]


def test_a_live_tail_tells_within_half_a_second(logs, group):
    put(logs, group, ["before ERROR"])
    tail = Tail(logs, logGroupIdentifiers=[arn(group)], logEventFilterPattern="ERROR")
    start = tail.frames.get(timeout=15)[1]["sessionStart"]
    assert start["logGroupIdentifiers"] == [arn(group)] and start["logEventFilterPattern"] == "ERROR"
    for number in range(10):
        time.sleep(random.random() / 5)
        begun = time.monotonic()
        put(logs, group, ["GET /", f"ERROR {number}"])
        at, update = tail.update()
        [event] = update["sessionResults"]
        assert event["message"] == f"ERROR {number}" and event["logStreamName"] == "i-1"
        assert event["logGroupIdentifier"] == f"{ACCOUNT}:{group}"
        assert update["sessionMetadata"] == {"sampled": False}
        assert at - begun < 0.5
    put(logs, group, [f"ERROR {number}" for number in range(5000)])
    update = tail.update()[1]
    assert update["sessionMetadata"] == {"sampled": True} and len(update["sessionResults"]) <= 500
    tail.stream.close()


def test_a_live_tail_of_chosen_streams(logs, group):
    for stream in ("task-1", "other"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    by_name = Tail(logs, logGroupIdentifiers=[arn(group)], logStreamNames=["other"])
    by_prefix = Tail(logs, logGroupIdentifiers=[arn(group)], logStreamNamePrefixes=["task-"])
    for tail in (by_name, by_prefix):
        tail.frames.get(timeout=15)
    for stream in ("i-1", "task-1", "other"):
        put(logs, group, [stream], stream)
    for tail, expected in ((by_name, "other"), (by_prefix, "task-1")):
        assert [event["message"] for event in tail.update()[1]["sessionResults"]] == [expected]
        tail.stream.close()
    starred = [arn(group) + ":*"]
    refused(logs.start_live_tail, "InvalidParameterException", "can't end", logGroupIdentifiers=starred)
    none = [arn("/none")]
    refused(logs.start_live_tail, "ResourceNotFoundException", "does not exist", logGroupIdentifiers=none)


BY_NAME = """
import socket, sys, threading, time, boto3
hosts = ("logs", "stream-logs", "streaming-logs")
addresses = {socket.gethostbyname(f"{host}.us-east-1.amazonaws.com") for host in hosts}
assert len(addresses) == 1, addresses
logs = boto3.client("logs", region_name="us-east-1")
assert logs.meta.endpoint_url == "https://logs.us-east-1.amazonaws.com"
group = sys.argv[1]
stream = logs.start_live_tail(logGroupIdentifiers=[sys.argv[2]])["responseStream"]
event = {"timestamp": int(time.time() * 1000), "message": "by its name"}
threading.Timer(0.5, lambda: logs.put_log_events(logGroupName=group, logStreamName="i-1", logEvents=[event])).start()
for frame in stream:
    for event in frame.get("sessionUpdate", {}).get("sessionResults", []):
        print(event["message"])
        sys.exit()
"""


def test_awss_own_names_lead_here(cloud, logs, group):
    """A client with no endpoint setting, its host prefix for live tails included."""
    command = ["exec", "--no-endpoint-url", "--", sys.executable, "-c", BY_NAME, group, arn(group)]
    done = cloud.try_run(*command, timeout=60)
    assert (done.returncode, done.stdout) == (0, "by its name\n"), done.stderr


# Insights.


def finished(logs, query_id):
    def over():
        answer = logs.get_query_results(queryId=query_id)
        return answer if answer["status"] not in ("Scheduled", "Running") else None

    return until("the query has ended", over, 30, 0.02)


def rows(answer, *fields):
    return [
        tuple({field["field"]: field["value"] for field in row}.get(name) for name in fields)
        for row in answer["results"]
    ]


def test_insights_queries_run_over_several_groups(logs, group):
    other = group + "/other"
    logs.create_log_group(logGroupName=other)
    logs.create_log_stream(logGroupName=other, logStreamName="i-2")
    put(logs, group, [json.dumps({"path": path, "ms": ms}) for path, ms in [("/a", 1), ("/b", 5), ("/a", 3)]])
    put(logs, other, [json.dumps({"path": "/b", "ms": 7}), "no JSON"], "i-2")
    period = {"startTime": int(time.time()) - 600, "endTime": int(time.time())}
    query = "filter ispresent(ms) | stats count(*) as n, max(ms) as slowest by path | sort path"
    started = logs.start_query(logGroupIdentifiers=[group, arn(other)], queryString=query, **period)
    answer = finished(logs, started["queryId"])
    assert answer["status"] == "Complete"
    assert rows(answer, "path", "n", "slowest") == [("/a", "2", "3"), ("/b", "2", "7")]
    statistics = answer["statistics"]
    assert (statistics["recordsMatched"], statistics["recordsScanned"]) == (4.0, 5.0)
    assert statistics["logGroupsScanned"] == 2.0

    query = "fields @message, @logStream | sort @timestamp desc | limit 2"
    started = logs.start_query(logGroupNames=[group], queryString=query, **period)
    answer = finished(logs, started["queryId"])
    assert [json.loads(row[0])["ms"] for row in rows(answer, "@message")] == [3, 5]
    pointer = rows(answer, "@ptr")[0][0]
    record = logs.get_log_record(logRecordPointer=pointer)["logRecord"]
    assert (record["path"], record["ms"], record["@logStream"]) == ("/a", "3", "i-1")
    [first, second] = logs.describe_queries(maxResults=2)["queries"]
    assert first["queryId"] == started["queryId"] and first["status"] == "Complete"
    assert second["logGroupName"] == group
    malformed = {"logGroupName": group, "queryString": "fields @message | fly", **period}
    refused(logs.start_query, "MalformedQueryException", "fly", **malformed)
    refused(logs.get_query_results, "ResourceNotFoundException", "none", queryId="none")
    logs.delete_log_group(logGroupName=other)


# Who may.


def test_policies_hold_for_groups_and_streams(cloud, logs, group):
    iam, sts = cloud.client("iam"), cloud.client("sts")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="shipper", AssumeRolePolicyDocument=document)["Role"]
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": f"{arn(group)}*"}
    narrow = {"Effect": "Allow", "Action": "logs:GetLogEvents", "Resource": f"{arn(group)}:log-stream:i-1"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement, narrow]})
    iam.put_role_policy(RoleName="shipper", PolicyName="ship", PolicyDocument=policy)
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    mine = boto3.session.Session().client(
        "logs",
        region_name="us-east-1",
        endpoint_url=cloud.environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    mine.create_log_group(logGroupName=group + "/more")
    mine.create_log_stream(logGroupName=group + "/more", logStreamName="s")
    put(mine, group + "/more", ["mine"], "s")
    put(mine, group, ["mine"])
    assert texts(mine.get_log_events(logGroupName=group, logStreamName="i-1")) == ["mine"]
    mine.describe_log_streams(logGroupName=group)
    denied = "AccessDeniedException"
    stream = f"logs:GetLogEvents on resource: {arn(group)}/more:log-stream:s"
    refused(mine.get_log_events, denied, stream, logGroupName=group + "/more", logStreamName="s")
    elsewhere = f"logs:CreateLogGroup on resource: {arn('/elsewhere')}:log-stream:"
    refused(mine.create_log_group, denied, elsewhere, logGroupName="/elsewhere")
    refused(mine.delete_log_group, denied, "logs:DeleteLogGroup", logGroupName=group)
    refused(mine.describe_log_groups, denied, "logs:DescribeLogGroups")
    events = [{"timestamp": now(), "message": "x"}]
    refused(mine.put_log_events, denied, "", logGroupName="/no", logStreamName="s", logEvents=events)
    logs.delete_log_group(logGroupName=group + "/more")


# CloudFormation.


def test_a_stack_has_log_groups(cloud, logs):
    template = """
    Resources:
      Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /stack/app, RetentionInDays: 30}}
      Stream: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group, LogStreamName: one}}
    Outputs: {Arn: {Value: !GetAtt Group.Arn}}
    """
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName="logs", TemplateBody=template)
    until("the stack is complete", lambda: cloud.stack_status("logs") == "CREATE_COMPLETE", 30)
    [output] = cloudformation.describe_stacks(StackName="logs")["Stacks"][0]["Outputs"]
    assert output["OutputValue"] == arn("/stack/app") + ":*"
    put(logs, "/stack/app", ["from the stack"], "one")
    [found] = logs.describe_log_groups(logGroupNamePrefix="/stack/app")["logGroups"]
    assert found["retentionInDays"] == 30
    tags = logs.list_tags_for_resource(resourceArn=arn("/stack/app"))["tags"]
    assert tags["aws:cloudformation:logical-id"] == "Group"
    cloud.delete_stack("logs")
    assert logs.describe_log_groups(logGroupNamePrefix="/stack/app")["logGroups"] == []


# Hostile input.


def raw(cloud, operation, body, **headers):
    """Sends bytes that no client would; the status and what was answered."""
    host, port = cloud.listen.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    scope = "AKIDEXAMPLE/20260101/us-east-1/logs/aws4_request"
    connection.request(
        "POST",
        "/",
        body,
        {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"Logs_20140328.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00",
        }
        | headers,
    )
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace")


def test_hostile_bodies_are_refused_in_words(cloud, logs, group):
    target = f'"logGroupName":"{group}","logStreamName":"i-1"'
    for body, words in [
        ("", "Member must not be null"),
        ("[]", "SerializationException"),
        ("{", "SerializationException"),
        ("{" + target, "SerializationException"),
        ("{" + target + ',"logEvents":' + "[" * 200 + "]" * 200 + "}", "SerializationException"),
        ("{" + target + ',"logEvents":{}}', "SerializationException"),
        ("{" + target + ',"logEvents":[{"timestamp":"now","message":"x"}]}', "SerializationException"),
        ("{" + target + ',"logEvents":[{"timestamp":1e400,"message":"x"}]}', "SerializationException"),
        ("{" + target + ',"logEvents":[{"timestamp":-1,"message":"x"}]}', "InvalidParameterException"),
        ("{" + target + ',"logEvents":[{"message":"x"}]}', "InvalidParameterException"),
        ("{" + target + ',"logEvents":[{"timestamp":1,"message":"\\ud800"}]}', "SerializationException"),
        ("{" + target + ',"colour":"red","logEvents":[]}', "Unrecognized field"),
        ('{"logGroupName":"\\u0000","logStreamName":"s","logEvents":[{"timestamp":1,"message":"x"}]}', "pattern"),
    ]:
        status, told = raw(cloud, "PutLogEvents", body)
        assert status == 400 and words in told, (body[:120], told)
    assert raw(cloud, "PutLogEvents", b"{\xff}")[0] == 400
    assert raw(cloud, "PutLogEvents", b" " * 9_000_000)[0] == 413
    far = 9_223_372_036_854_775_807
    body = json.dumps(
        {"logGroupName": group, "logStreamName": "i-1", "logEvents": [{"timestamp": far, "message": "x"}]}
    )
    status, told = raw(cloud, "PutLogEvents", body)
    assert status == 200 and json.loads(told)["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}
    for operation, body in [
        ("FilterLogEvents", {"logGroupName": group, "startTime": far, "endTime": far}),
        ("GetLogEvents", {"logGroupName": group, "logStreamName": "i-1", "startTime": far, "endTime": 0}),
        ("GetLogEvents", {"logGroupName": group, "logStreamName": "i-1", "nextToken": "f/" + "9" * 56 + "/s"}),
        ("StartQuery", {"logGroupName": group, "startTime": 0, "endTime": far, "queryString": "fields @message"}),
        ("GetLogRecord", {"logRecordPointer": "A" * 100_000}),
    ]:
        status, told = raw(cloud, operation, json.dumps(body))
        assert status in (200, 400), told
    assert cloud.status()["pid"]


def test_messages_come_back_as_they_were_put(logs, group):
    odd = ["\x00\x01\x7f", "\u2028\ufeff\U0001f600", '"\\/\b\f\n\r\t', "käse " * 1000, "  ", "\n", "{}", "é" * 262_144]
    put(logs, group, odd)
    found = [
        event["message"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]
    assert found == odd


# A life of its own.


def stored(state):
    """Bytes on the disk of what is stored of events."""
    files = pathlib.Path(state, "log-events").rglob("*")
    return sum(path.stat().st_blocks * 512 for path in files if path.is_file())


def test_events_survive_the_daemon_and_go_with_their_retention(fresh_cloud):
    cloud = fresh_cloud
    logs = cloud.client("logs", inject_host_prefix=False)
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="i-1")
    # Texts that cannot be compressed, two days old.
    old = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(8000)]
    for batch in range(10):
        put(logs, "g", [f"{text}{batch}" for text in old], start=now() - 2 * DAY + batch * 10_000)
    put(logs, "g", ["kept"])
    # What was acknowledged is there after a SIGKILL.
    cloud.kill()
    cloud.start()
    logs = cloud.client("logs", inject_host_prefix=False)
    put(logs, "g", ["after"])
    newest = logs.get_log_events(logGroupName="g", logStreamName="i-1", limit=2)
    assert texts(newest) == ["kept", "after"]
    count = sum(len(page["events"]) for page in logs.get_paginator("filter_log_events").paginate(logGroupName="g"))
    assert count == 80_002
    # A restart in good order brings everything to its place.
    cloud.stop()
    cloud.start()
    logs = cloud.client("logs", inject_host_prefix=False)
    before = stored(cloud.state)
    assert before > 1_000_000
    logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    assert texts(logs.filter_log_events(logGroupName="g")) == ["kept", "after"]
    until("the disk space is freed", lambda: stored(cloud.state) < before / 4, 30)
    [group] = logs.describe_log_groups()["logGroups"]
    assert group["storedBytes"] < 1000
    logs.delete_log_group(logGroupName="g")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="i-1")
    assert texts(logs.filter_log_events(logGroupName="g")) == []
    cloud.run("cloud", "reset", "--yes")
    assert not pathlib.Path(cloud.state, "log-events").exists()


def faults(cloud, *faults):
    """Tells the daemon what CloudWatch Logs is to refuse."""
    connection = http.client.HTTPConnection("drydock")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(pathlib.Path(cloud.state, "run/admin.sock")))
    connection.request("PUT", "/logs/faults", json.dumps(faults))
    assert connection.getresponse().status == 200


def test_the_service_refuses_on_demand(cloud, logs, group):
    faults(cloud, {"operation": "PutLogEvents", "code": "ThrottlingException", "times": 2})
    try:
        for _ in range(2):
            refused(
                logs.put_log_events,
                "ThrottlingException",
                "Rate exceeded",
                logGroupName=group,
                logStreamName="i-1",
                logEvents=[{"timestamp": now(), "message": "x"}],
            )
        put(logs, group, ["x"])
        faults(cloud, {"code": "ServiceUnavailableException"})
        with pytest.raises(logs.exceptions.ServiceUnavailableException):
            logs.describe_log_groups()
    finally:
        faults(cloud)
    logs.describe_log_groups()

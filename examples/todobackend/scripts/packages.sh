#!/usr/bin/env bash
# Installs what the image needs besides Docker and the ECS agent, which it has. Nothing else is updated: the source image
# is the newest one, and its Docker and agent belong together.
set -euo pipefail

yum install -y aws-cfn-bootstrap jq rsyslog

# The log agent: what Amazon Linux 1 and 2 have, or its successor.
yum install -y awslogs || yum install -y amazon-cloudwatch-agent

# Session Manager's agent is how people get in on AWS. Amazon's images have it mostly; the local cloud has other doors.
if ! command -v amazon-ssm-agent > /dev/null; then
  yum install -y amazon-ssm-agent || echo "no Session Manager in this image"
fi

# Copyright 2026 lerobot_streamrec contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""
The interface of rclpy 3.3, the release in Humble, from the branch ``humble`` of its repository.

The package index has no Humble, so the nodes have never run there. Instead, their uses of rclpy
are compared with this table.
"""

from __future__ import annotations

MODULES = {
    'rclpy': (
        'create_node get_rmw_implementation_identifier init ok shutdown spin spin_once '
        'spin_until_future_complete try_shutdown'
    ),
    'rclpy.callback_groups': 'CallbackGroup MutuallyExclusiveCallbackGroup ReentrantCallbackGroup',
    'rclpy.clock': 'Clock ClockChange ClockType JumpHandle JumpThreshold ROSClock TimeJump',
    'rclpy.context': 'Context',
    'rclpy.duration': 'Duration Infinite',
    'rclpy.exceptions': (
        'InvalidHandle InvalidNamespaceException InvalidNodeNameException '
        'InvalidParameterException InvalidParameterTypeException InvalidParameterValueException '
        'InvalidServiceNameException InvalidTopicNameException NameValidationException '
        'NoTypeSupportImportedException NotInitializedException '
        'ParameterAlreadyDeclaredException ParameterException ParameterImmutableException '
        'ParameterNotDeclaredException ParameterUninitializedException ROSInterruptException'
    ),
    'rclpy.executors': (
        'ConditionReachedException Executor ExternalShutdownException MultiThreadedExecutor '
        'ShutdownException SingleThreadedExecutor TimeoutException await_or_execute'
    ),
    'rclpy.expand_topic_name': 'expand_topic_name',
    'rclpy.guard_condition': 'GuardCondition',
    'rclpy.logging': (
        'LoggingSeverity get_logger get_logger_effective_level get_logging_directory '
        'get_logging_severity_from_string set_logger_level'
    ),
    'rclpy.node': 'HIDDEN_NODE_PREFIX Node NodeNameNonExistentError',
    'rclpy.parameter': 'PARAMETER_SEPARATOR_STRING Parameter parameter_value_to_python',
    'rclpy.qos': (
        'DurabilityPolicy HistoryPolicy InvalidQoSProfileException LivelinessPolicy '
        'QoSCompatibility QoSPolicyKind QoSPresetProfiles QoSProfile ReliabilityPolicy '
        'qos_check_compatible qos_policy_name_from_kind qos_profile_parameters '
        'qos_profile_sensor_data qos_profile_services_default qos_profile_system_default'
    ),
    'rclpy.qos_event': (
        'PublisherEventCallbacks QoSEventHandler SubscriptionEventCallbacks '
        'UnsupportedEventTypeError'
    ),
    'rclpy.serialization': 'deserialize_message serialize_message',
    'rclpy.signals': 'SignalHandlerOptions install_signal_handlers uninstall_signal_handlers',
    'rclpy.subscription': 'Subscription',
    'rclpy.task': 'Future Task',
    'rclpy.time': 'Time',
    'rclpy.topic_endpoint_info': 'TopicEndpointInfo TopicEndpointTypeEnum',
    'rclpy.utilities': (
        'get_default_context get_rmw_implementation_identifier ok remove_ros_args shutdown '
        'try_shutdown'
    ),
    'rclpy.validate_namespace': 'validate_namespace',
    'rclpy.validate_node_name': 'validate_node_name',
    'rclpy.validate_topic_name': 'validate_topic_name',
}
"""The names that each module has."""

NODE = (
    'add_on_set_parameters_callback context count_publishers count_subscribers create_client '
    'create_guard_condition create_publisher create_rate create_service create_subscription '
    'create_timer declare_parameter declare_parameters default_callback_group '
    'describe_parameter describe_parameters destroy_client destroy_node destroy_publisher '
    'destroy_service destroy_subscription destroy_timer executor get_clock '
    'get_fully_qualified_name get_logger get_name get_namespace get_node_names '
    'get_node_names_and_namespaces get_node_names_and_namespaces_with_enclaves get_parameter '
    'get_parameter_or get_parameter_type get_parameter_types get_parameters '
    'get_parameters_by_prefix get_publisher_names_and_types_by_node '
    'get_publishers_info_by_topic get_service_names_and_types '
    'get_service_names_and_types_by_node get_client_names_and_types_by_node '
    'get_subscriber_names_and_types_by_node get_subscriptions_info_by_topic '
    'get_topic_names_and_types handle has_parameter publishers '
    'remove_on_set_parameters_callback resolve_service_name resolve_topic_name services '
    'set_descriptor set_parameters set_parameters_atomically subscriptions timers '
    'undeclare_parameter'
    # The recorder's own class of nodes has this one, see nodes/graph/ros_start.py.
    ' empty'
)
EXECUTOR = (
    'add_node context create_task get_nodes remove_node shutdown spin spin_once '
    'spin_once_until_future_complete spin_until_future_complete wake'
)
LOGGER = 'debug error fatal get_child get_effective_level info is_enabled_for set_level warning'

OBJECTS = {
    'node': NODE,
    '_node': NODE,
    'executor': EXECUTOR,
    '_executor': EXECUTOR,
    'log': LOGGER,
    '_log': LOGGER,
    'get_logger()': LOGGER,
}
"""The attributes of objects that have these names everywhere in the code."""

_LOGGED = 'name throttle_duration_sec throttle_time_source_type skip_first once'

KEYWORDS = {
    'Clock': 'clock_type',
    'Future': 'executor',
    'Node': (
        'context cli_args namespace use_global_arguments enable_rosout start_parameter_services '
        'parameter_overrides allow_undeclared_parameters '
        'automatically_declare_parameters_from_overrides'
    ),
    'Parameter': 'name type_ value',
    'QoSProfile': (
        'history depth reliability durability lifespan deadline liveliness '
        'liveliness_lease_duration avoid_ros_namespace_conventions'
    ),
    'SingleThreadedExecutor': 'context',
    'SubscriptionEventCallbacks': (
        'deadline incompatible_qos liveliness message_lost use_default_callbacks'
    ),
    'create_client': 'qos_profile callback_group',
    'create_publisher': 'callback_group event_callbacks qos_overriding_options publisher_class',
    'create_service': 'qos_profile callback_group',
    'create_subscription': 'callback_group event_callbacks qos_overriding_options raw',
    'create_timer': 'callback_group clock',
    'declare_parameter': 'value descriptor ignore_override',
    'rclpy.init': 'args context domain_id signal_handler_options',
    'rclpy.shutdown': 'context uninstall_handlers',
    'rclpy.try_shutdown': 'context',
    **dict.fromkeys((f'get_logger().{level}' for level in ('debug', 'error', 'info')), _LOGGED),
    'get_logger().warning': _LOGGED,
}
"""The keyword arguments of a function or class, by the end of the expression that calls it."""
